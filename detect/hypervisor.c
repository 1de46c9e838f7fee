/* SPDX-License-Identifier: MIT */
/*
 * Which hypervisor is below us, and what stands between.
 *
 * On x86 a hypervisor signs in CPUID, at leaf 0x40000000 or, when it wears
 * another's interface in front of its own, at a multiple of 0x100 above; so we
 * look at all of them. Leaf 1 says whether there is a hypervisor at all; without
 * that bit the leaves above are noise.
 *
 * The firmware's strings (DMI) decide where CPUID shows nothing we know, where
 * it shows only Hyper-V's interface, which many wear, and for VirtualBox and
 * Parallels, which may wear KVM's. Other architectures have no CPUID; there the
 * device tree and DMI are all there is.
 *
 * A Xen dom0 and a Hyper-V root partition count as guests: their virtual CPUs
 * are scheduled like any other's, which is what a waiter must know.
 */
#include "detect/facts.h"
#include "detect/text.h"
#include <stdio.h>

#define SIGNATURE_SIZE 12
#define LEAF_SCAN_FIRST 0x40000000u
#define LEAF_SCAN_LAST 0x40010000u
#define LEAF_SCAN_STEP 0x100u
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define SMBIOS_EXTENSION_2 19
#define SMBIOS_GUEST (1 << 4)

struct signature {
	char bytes[SIGNATURE_SIZE + 1];
	const char *name;
};

static const struct signature signatures[] = {
	{ "KVMKVMKVM\0\0\0", "kvm" }, /* also Firecracker */
	{ "Linux KVM Hv", "kvm" },    /* KVM's own Hyper-V interface */
	{ "TCGTCGTCGTCG", "qemu" },
	{ "Microsoft Hv", "microsoft" },
	{ "XenVMMXenVMM", "xen" },
	{ "VMwareVMware", "vmware" },
	{ "VBoxVBoxVBox", "oracle" },
	{ "prl hyperv  ", "parallels" },
	{ " prl hyperv ", "parallels" },
	{ " lrpepyh  vr", "parallels" },
	{ "bhyve bhyve ", "bhyve" },
	{ "BHyVE BHyVE ", "bhyve" },
	{ "ACRNACRNACRN", "acrn" },
	{ "QNXQVMBSQG\0\0", "qnx" },
	{ " QNXQVMBSQG ", "qnx" },
	{ "Jailhouse\0\0\0", "jailhouse" },
	{ "Apple VZ\0\0\0\0", "apple" },
	{ "OpenBSDVMM58", "openbsd-vmm" },
	{ "___ NVMM ___", "nvmm" },
	{ "HAXMHAXMHAXM", "haxm" },
	{ "UnisysSpar64", "unisys" },
	{ "SRESRESRESRE", "sre" },
	{ "LKVMLKVMLKVM", "kvmtool" },
	{ "EVMMEVMMEVMM", "evmm" },
	{ "Napocahv    ", "napoca" },
	{ "Barevisor!\0\0", "barevisor" },
	{ "MiniVisor\0\0\0", "minivisor" },
	{ "NoirVisor ZT", "noirvisor" },
	{ "FEXIFEXIEMU\0", "fex" },
};

/* Programs that translate or emulate a whole CPU put their names where the CPU's maker belongs: leaf 0. */
static const struct signature emulators[] = {
	{ "VirtualApple", "rosetta" }, { "MicrosoftXTA", "xta" },   { "Virtual CPU ", "virtualpc" },
	{ "Insignia 586", "insignia" }, { "PowerVM Lx86", "lx86" }, { "Neko Project", "neko" },
};

/* When a DMI string is proof of a virtual machine: the same makers sell real ones. */
enum proof {
	ALWAYS,
	UNLESS_METAL, /* on x86 only with leaf 1's bit; elsewhere unless the product is called "….metal" */
	WITH_THE_BIT, /* only with leaf 1's bit */
};

static const struct dmi_prefix {
	const char *prefix;
	const char *name;
	enum proof proof;
} dmi_prefixes[] = {
	{ "KVM", "kvm", ALWAYS },
	{ "OpenStack", "kvm", ALWAYS },
	{ "KubeVirt", "kvm", ALWAYS },
	{ "Amazon EC2", "amazon", UNLESS_METAL },
	{ "QEMU", "qemu", ALWAYS },
	{ "VMware", "vmware", ALWAYS },
	{ "VMW", "vmware", ALWAYS },
	{ "innotek GmbH", "oracle", ALWAYS },
	{ "VirtualBox", "oracle", ALWAYS },
	{ "Oracle Corporation", "oracle", WITH_THE_BIT },
	{ "Xen", "xen", ALWAYS },
	{ "Bochs", "bochs", ALWAYS },
	{ "Parallels", "parallels", ALWAYS },
	{ "BHYVE", "bhyve", ALWAYS },
	{ "Hyper-V", "microsoft", ALWAYS },
	{ "Apple Virtualization", "apple", ALWAYS },
	{ "Google Compute Engine", "google", UNLESS_METAL },
};

struct machine {
	const struct gsync_source *source;
	bool x86;
	bool guest_bit;
};

static bool is(const char *name, const char *other)
{
	return strcmp(name, other) == 0;
}

static void set_name(char to[GSYNC_NAME_MAX], const char *name)
{
	size_t length = strlen(name);

	if (length > GSYNC_NAME_MAX - 1)
		length = GSYNC_NAME_MAX - 1;
	memmove(to, name, length);
	to[length] = '\0';
}

static struct gsync_cpuid read_leaf(const struct gsync_source *source, uint32_t leaf)
{
	struct gsync_cpuid regs = { 0, 0, 0, 0 };

	if (!source->cpuid(source->context, leaf, 0, &regs))
		memset(&regs, 0, sizeof(regs));
	return regs;
}

static void join_registers(char out[SIGNATURE_SIZE], uint32_t first, uint32_t second, uint32_t third)
{
	memcpy(out, &first, 4);
	memcpy(out + 4, &second, 4);
	memcpy(out + 8, &third, 4);
}

static const char *find_signature(const struct signature *table, size_t count, const char bytes[SIGNATURE_SIZE])
{
	size_t i;

	for (i = 0; i < count; i++)
		if (memcmp(table[i].bytes, bytes, SIGNATURE_SIZE) == 0)
			return table[i].name;
	return NULL;
}

static void add_layer(struct gsync_hypervisor *out, const char *name)
{
	int i;

	for (i = 0; i < out->layer_count; i++)
		if (is(out->layers[i], name))
			return;
	if (out->layer_count < GSYNC_LAYERS_MAX)
		set_name(out->layers[out->layer_count++], name);
}

/* Who wears an interface in front stands behind it: anything is better than Hyper-V's, and KVM's own than KVM's Hv. */
static bool is_better(const struct gsync_hypervisor *out, const char *name, bool kvm_proper)
{
	if (is(out->name, "none") || (is(out->name, "microsoft") && !is(name, "microsoft")))
		return true;
	return is(out->name, "kvm") && kvm_proper && out->base == 0;
}

static void read_layers(const struct gsync_source *source, struct gsync_hypervisor *out)
{
	uint32_t leaf;

	for (leaf = LEAF_SCAN_FIRST; leaf <= LEAF_SCAN_LAST; leaf += LEAF_SCAN_STEP) {
		struct gsync_cpuid regs = read_leaf(source, leaf);
		char bytes[SIGNATURE_SIZE];
		const char *name;
		bool hv_of_kvm;

		join_registers(bytes, regs.ebx, regs.ecx, regs.edx);
		name = find_signature(signatures, sizeof(signatures) / sizeof(signatures[0]), bytes);
		if (!name)
			continue;
		add_layer(out, name);
		/* Behind "Linux KVM Hv" stand Hyper-V's leaves, not KVM's: it gives the name, but no base. */
		hv_of_kvm = memcmp(bytes, "Linux KVM Hv", SIGNATURE_SIZE) == 0;
		if (is_better(out, name, is(name, "kvm") && !hv_of_kvm)) {
			set_name(out->name, name);
			out->base = hv_of_kvm ? 0 : leaf;
		}
	}
}

static void read_kvm_features(const struct gsync_source *source, struct gsync_hypervisor *out)
{
	struct gsync_cpuid top = read_leaf(source, out->base);
	struct gsync_cpuid regs;

	/* Old KVM says 0 and means base + 1. */
	if (top.eax != 0 && top.eax < out->base + 1)
		return;
	regs = read_leaf(source, out->base + 1);
	out->features = regs.eax;
	out->hints = regs.edx;
}

/* What an unknown hypervisor writes in the first place, so that the user can report it. */
static void read_unknown_signature(const struct gsync_source *source, struct gsync_hypervisor *out)
{
	struct gsync_cpuid regs = read_leaf(source, LEAF_SCAN_FIRST);
	size_t length = SIGNATURE_SIZE;
	size_t i;

	join_registers(out->signature, regs.ebx, regs.ecx, regs.edx);
	while (length > 0 && out->signature[length - 1] == '\0')
		length--;
	for (i = 0; i < length; i++)
		if (out->signature[i] < ' ' || out->signature[i] > '~')
			out->signature[i] = '.';
}

static const char *find_emulator(const struct gsync_source *source)
{
	struct gsync_cpuid regs = read_leaf(source, 0);
	char bytes[SIGNATURE_SIZE];

	join_registers(bytes, regs.ebx, regs.edx, regs.ecx);
	return find_signature(emulators, sizeof(emulators) / sizeof(emulators[0]), bytes);
}

/* Azure shields a guest by a paravisor, which hides the CPU's own leaves and says so in Hyper-V's. */
static const char *read_azure_isolation(const struct gsync_source *source)
{
	static const char *const kinds[] = { "none", "vbs", "sev-snp", "tdx" };
	struct gsync_cpuid regs = read_leaf(source, LEAF_SCAN_FIRST + 3);
	uint32_t kind;

	if (!(regs.ebx & (1u << 22)) || (regs.ebx & (1u << 12)))
		return "none";
	kind = read_leaf(source, LEAF_SCAN_FIRST + 0xc).ebx & 0xfu;
	return kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[kind] : "none";
}

static const char *read_confidential(const struct gsync_source *source)
{
	struct gsync_cpuid front = read_leaf(source, LEAF_SCAN_FIRST);
	char bytes[SIGNATURE_SIZE];

	if (read_leaf(source, 0).eax >= 0x21) {
		struct gsync_cpuid tdx = read_leaf(source, 0x21);

		join_registers(bytes, tdx.ebx, tdx.edx, tdx.ecx);
		if (memcmp(bytes, "IntelTDX    ", SIGNATURE_SIZE) == 0)
			return "tdx";
	}
	/* On a host the bit means "could"; a guest sees it only if it is one. */
	if (read_leaf(source, 0x80000000u).eax >= 0x8000001fu && (read_leaf(source, 0x8000001fu).eax & (1u << 1)))
		return "sev";
	join_registers(bytes, front.ebx, front.ecx, front.edx);
	return memcmp(bytes, "Microsoft Hv", SIGNATURE_SIZE) == 0 ? read_azure_isolation(source) : "none";
}

static void read_x86(const struct machine *machine, struct gsync_hypervisor *out)
{
	const char *emulator = find_emulator(machine->source);

	if (machine->guest_bit) {
		read_layers(machine->source, out);
		if (is(out->name, "none"))
			read_unknown_signature(machine->source, out);
		if (is(out->name, "kvm") && out->base != 0)
			read_kvm_features(machine->source, out);
		set_name(out->confidential, read_confidential(machine->source));
	}
	if (emulator) {
		add_layer(out, emulator);
		if (is(out->name, "none"))
			set_name(out->name, emulator);
	}
}

static const char *find_in_device_tree(const struct gsync_source *source)
{
	char text[128];

	if (gsync_text_read_line(source, "/proc/device-tree/hypervisor/compatible", text, sizeof(text))) {
		if (is(text, "linux,kvm"))
			return "kvm";
		if (strstr(text, "xen"))
			return "xen";
		return strstr(text, "vmware") ? "vmware" : "unknown";
	}
	/* Where QEMU's "virt" machines for ARM have their configuration device. */
	if (gsync_text_exists(source, "/proc/device-tree/fw-cfg@9020000/compatible"))
		return "qemu";
	/* The board that Linux has for virtual machines only. */
	gsync_text_read_line(source, "/proc/device-tree/compatible", text, sizeof(text));
	return is(text, "linux,dummy-virt") ? "unknown" : NULL;
}

static bool is_metal(const struct gsync_source *source)
{
	char product[128];
	const char *metal;

	gsync_text_read_line(source, "/sys/class/dmi/id/product_name", product, sizeof(product));
	metal = strstr(product, ".metal");
	return metal && (metal[6] == '\0' || metal[6] == '-');
}

static bool is_proof(const struct machine *machine, enum proof proof)
{
	if (proof == ALWAYS || machine->guest_bit)
		return true;
	return proof == UNLESS_METAL && !machine->x86 && !is_metal(machine->source);
}

static const char *find_in_dmi(const struct machine *machine)
{
	/* The product before the vendor: QEMU is the vendor of KVM's guests too. */
	static const char *const files[] = {
		"/sys/class/dmi/id/product_name",
		"/sys/class/dmi/id/sys_vendor",
		"/sys/class/dmi/id/board_vendor",
		"/sys/class/dmi/id/bios_vendor",
		"/sys/class/dmi/id/product_version",
		"/sys/class/dmi/id/chassis_vendor",
	};
	char text[128];
	size_t i, j;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!gsync_text_read_line(machine->source, files[i], text, sizeof(text)))
			continue;
		for (j = 0; j < sizeof(dmi_prefixes) / sizeof(dmi_prefixes[0]); j++)
			if (gsync_text_starts(text, dmi_prefixes[j].prefix) && is_proof(machine, dmi_prefixes[j].proof))
				return dmi_prefixes[j].name;
	}
	if (gsync_text_read_line(machine->source, "/sys/hypervisor/type", text, sizeof(text)) && is(text, "xen"))
		return "xen";
	return NULL;
}

/* The firmware has a bit for it, in the second extension byte of SMBIOS' first table; only root may read that. */
static bool firmware_says_guest(const struct gsync_source *source)
{
	char table[32];
	ssize_t length = source->read_file(source->context, "/sys/firmware/dmi/entries/0-0/raw", table, sizeof(table));

	return length > SMBIOS_EXTENSION_2 && table[1] > SMBIOS_EXTENSION_2 && (table[SMBIOS_EXTENSION_2] & SMBIOS_GUEST);
}

/* Is what the firmware says nearer the truth than what the CPU says? */
static bool firmware_wins(const struct gsync_hypervisor *out, const char *firmware)
{
	if (is(out->name, "none") || is(out->name, "unknown") || is(out->name, "microsoft"))
		return true;
	return is(out->name, "kvm") && (is(firmware, "oracle") || is(firmware, "parallels"));
}

/* NAME is not from CPUID, so there is no leaf to it. */
static void rename_to(struct gsync_hypervisor *out, const char *name)
{
	if (is(out->name, name))
		return;
	set_name(out->name, name);
	out->base = 0;
	out->features = 0;
	out->hints = 0;
}

void gsync_hypervisor_read(const struct gsync_source *source, struct gsync_hypervisor *out)
{
	struct machine machine = { .source = source };
	struct gsync_cpuid regs;
	const char *other;

	memset(out, 0, sizeof(*out));
	set_name(out->name, "none");
	set_name(out->confidential, "none");
	machine.x86 = source->cpuid(source->context, 0, 0, &regs);
	if (machine.x86) {
		machine.guest_bit = read_leaf(source, 1).ecx & LEAF1_ECX_HYPERVISOR;
		read_x86(&machine, out);
	} else if ((other = find_in_device_tree(source))) {
		rename_to(out, other);
	}
	other = find_in_dmi(&machine);
	if (other && firmware_wins(out, other))
		rename_to(out, other);
	if (is(out->name, "none") && (machine.guest_bit || firmware_says_guest(source)))
		rename_to(out, "unknown");
	if (!is(out->name, "none"))
		add_layer(out, out->name);
}
