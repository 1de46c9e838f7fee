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
 * A Xen dom0 and a Hyper-V root partition have a hypervisor below them, too:
 * their virtual CPUs are scheduled like any other's, which is what a waiter must
 * know. Only the role says that they are no ordinary guests.
 *
 * User Mode Linux is a kernel that runs as a program: CPUID and the firmware
 * below it are its host's, so it comes before both.
 */
#include "detect/facts.h"
#include "detect/profile.h"
#include "detect/text.h"

#include <stdio.h>

#define SIGNATURE_SIZE 12
#define LEAF_SCAN_FIRST 0x40000000u
#define LEAF_SCAN_LAST 0x40010000u
#define LEAF_SCAN_STEP 0x100u
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define SMBIOS_EXTENSION_2 19
#define SMBIOS_GUEST (1 << 4)

#define LEAF_TSC_KHZ 0x10u /* above the base, of VMware and ACRN */
#define KVM_HINT_REALTIME (1u << 0)
#define XEN_FEATURE_DOM0 (1u << 11)

/* Hyper-V's interface, which always stands at the first leaf. */
#define HYPERV_INTERFACE 0x31237648u /* "Hv#1" */
#define HYPERV_PRIVILEGES (LEAF_SCAN_FIRST + 3)
#define HYPERV_ADVICE (LEAF_SCAN_FIRST + 4)
#define HYPERV_ISOLATION_KIND (LEAF_SCAN_FIRST + 0xc)
#define PRIVILEGES_EBX_CREATE_PARTITIONS (1u << 0)
#define PRIVILEGES_EBX_CPU_MANAGEMENT (1u << 12)
#define PRIVILEGES_EBX_ISOLATION (1u << 22)
#define ADVICE_EAX_NESTED (1u << 12)
#define ADVICE_EAX_NO_CORE_SHARING (1u << 18)

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
	bool hyperv; /* its interface is there, whoever wears it */
	bool root;   /* this is Hyper-V's root partition */
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

/* What an unknown hypervisor writes in the first place, so that the user can report it. */
static void read_unknown_signature(const struct gsync_source *source, struct gsync_hypervisor *out)
{
	struct gsync_cpuid regs = read_leaf(source, LEAF_SCAN_FIRST);
	size_t length = SIGNATURE_SIZE;

	join_registers(out->signature, regs.ebx, regs.ecx, regs.edx);
	while (length > 0 && out->signature[length - 1] == '\0')
		length--;
	gsync_text_make_printable(out->signature, length);
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
	uint32_t privileges = read_leaf(source, HYPERV_PRIVILEGES).ebx;
	uint32_t kind;

	if (!(privileges & PRIVILEGES_EBX_ISOLATION) || (privileges & PRIVILEGES_EBX_CPU_MANAGEMENT))
		return "none";
	kind = read_leaf(source, HYPERV_ISOLATION_KIND).ebx & 0xfu;
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

static bool has_hyperv(const struct gsync_source *source)
{
	return read_leaf(source, LEAF_SCAN_FIRST).eax >= HYPERV_ADVICE &&
	       read_leaf(source, LEAF_SCAN_FIRST + 1).eax == HYPERV_INTERFACE;
}

/* As Linux has it: it may make partitions and manage CPUs, and is not shielded from itself. */
static bool is_root_partition(const struct gsync_source *source)
{
	uint32_t privileges = read_leaf(source, HYPERV_PRIVILEGES).ebx;

	return (privileges & PRIVILEGES_EBX_CREATE_PARTITIONS) && (privileges & PRIVILEGES_EBX_CPU_MANAGEMENT) &&
	       !(privileges & PRIVILEGES_EBX_ISOLATION);
}

static void read_x86(struct machine *machine, struct gsync_hypervisor *out)
{
	const char *emulator = find_emulator(machine->source);

	if (machine->guest_bit) {
		read_layers(machine->source, out);
		if (is(out->name, "none"))
			read_unknown_signature(machine->source, out);
		machine->hyperv = has_hyperv(machine->source);
		machine->root = machine->hyperv && is(out->name, "microsoft") && is_root_partition(machine->source);
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
	/* Where QEMU's "virt" machines for ARM and for RISC-V have their configuration device. */
	static const char *const fw_cfgs[] = {
		"/proc/device-tree/fw-cfg@9020000/compatible",
		"/proc/device-tree/fw-cfg@10100000/compatible",
	};
	char text[128];
	size_t i;

	if (gsync_text_read_line(source, "/proc/device-tree/hypervisor/compatible", text, sizeof(text))) {
		if (is(text, "linux,kvm"))
			return "kvm";
		if (strstr(text, "xen"))
			return "xen";
		return strstr(text, "vmware") ? "vmware" : "unknown";
	}
	for (i = 0; i < sizeof(fw_cfgs) / sizeof(fw_cfgs[0]); i++)
		if (gsync_text_exists(source, fw_cfgs[i]))
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

/* What Xen's own kernel interfaces show, where CPUID is hidden. */
static bool is_xen(const struct gsync_source *source)
{
	char text[32];

	gsync_text_read_line(source, "/sys/hypervisor/type", text, sizeof(text));
	return is(text, "xen") || gsync_text_exists(source, "/proc/xen/capabilities");
}

static const char *find_in_firmware(const struct machine *machine)
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
	return is_xen(machine->source) ? "xen" : NULL;
}

/* The firmware has a bit for it, in the second extension byte of SMBIOS' first table; only root may read that. */
static bool firmware_says_guest(const struct gsync_source *source)
{
	char table[32];
	ssize_t length = source->read_file(source->context, "/sys/firmware/dmi/entries/0-0/raw", table, sizeof(table));

	return length > SMBIOS_EXTENSION_2 && table[1] > SMBIOS_EXTENSION_2 && (table[SMBIOS_EXTENSION_2] & SMBIOS_GUEST);
}

/* Is what the firmware says nearer the truth than what the CPU says? */
static bool firmware_wins(const struct machine *machine, const struct gsync_hypervisor *out, const char *firmware)
{
	/* Its firmware is that of the real machine. */
	if (machine->root)
		return false;
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
}

static bool is_user_mode_linux(const struct gsync_source *source)
{
	char text[256];

	gsync_text_read(source, "/proc/cpuinfo", text, sizeof(text));
	return strstr(text, "\nvendor_id\t: User Mode Linux\n");
}

/* A hexadecimal number without 0x, of which we need the lower bits. */
static uint32_t parse_hex(const char *text)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t value = 0;
	const char *digit;

	for (; *text && (digit = strchr(digits, *text)); text++)
		value = value << 4 | (uint32_t)(digit - digits);
	return value;
}

static bool is_dom0(const struct gsync_source *source)
{
	char text[64];

	if (gsync_text_read_line(source, "/sys/hypervisor/properties/features", text, sizeof(text)))
		return parse_hex(text) & XEN_FEATURE_DOM0;
	gsync_text_read(source, "/proc/xen/capabilities", text, sizeof(text));
	return strstr(text, "control_d");
}

static const char *find_role(const struct machine *machine, const struct gsync_hypervisor *out)
{
	if (is(out->name, "none"))
		return "";
	if (machine->root)
		return "root";
	return is(out->name, "xen") && is_dom0(machine->source) ? "dom0" : "guest";
}

/* What stands in the leaves above the signature, in each hypervisor's own way. */
static void read_own_leaves(const struct gsync_source *source, struct gsync_hypervisor *out)
{
	uint32_t top = read_leaf(source, out->base).eax;
	struct gsync_cpuid first = read_leaf(source, out->base + 1);

	/* Old KVM says 0 and means base + 1. */
	if (is(out->name, "kvm") && (top == 0 || top >= out->base + 1)) {
		out->features = first.eax;
		out->hints = first.edx;
		out->dedicated = first.edx & KVM_HINT_REALTIME;
	} else if (is(out->name, "xen") && top >= out->base + 1) {
		snprintf(out->version, sizeof(out->version), "%u.%u", first.eax >> 16, first.eax & 0xffffu);
	} else if ((is(out->name, "vmware") || is(out->name, "acrn")) && top >= out->base + LEAF_TSC_KHZ) {
		out->tsc_khz = read_leaf(source, out->base + LEAF_TSC_KHZ).eax;
	}
}

static void read_hyperv(const struct gsync_source *source, struct gsync_hypervisor *out)
{
	struct gsync_cpuid advice = read_leaf(source, HYPERV_ADVICE);

	out->hyperv.present = true;
	out->hyperv.spin_retries = advice.ebx;
	out->hyperv.no_core_sharing = advice.eax & ADVICE_EAX_NO_CORE_SHARING;
	if (advice.eax & ADVICE_EAX_NESTED)
		out->nested = 1;
	else if (is(out->name, "microsoft")) /* others do not know the bit */
		out->nested = 0;
}

static void find_name(struct machine *machine, struct gsync_hypervisor *out)
{
	struct gsync_cpuid regs;
	const char *other;

	machine->x86 = machine->source->cpuid(machine->source->context, 0, 0, &regs);
	if (machine->x86) {
		machine->guest_bit = read_leaf(machine->source, 1).ecx & LEAF1_ECX_HYPERVISOR;
		read_x86(machine, out);
	} else if ((other = find_in_device_tree(machine->source))) {
		rename_to(out, other);
	}
	other = find_in_firmware(machine);
	if (other && firmware_wins(machine, out, other))
		rename_to(out, other);
	if (is(out->name, "none") && (machine->guest_bit || firmware_says_guest(machine->source)))
		rename_to(out, "unknown");
	if (is_user_mode_linux(machine->source))
		rename_to(out, "uml");
	if (!is(out->name, "none"))
		add_layer(out, out->name);
}

void gsync_hypervisor_read(const struct gsync_source *source, struct gsync_hypervisor *out)
{
	struct machine machine = { .source = source };

	memset(out, 0, sizeof(*out));
	set_name(out->name, "none");
	set_name(out->confidential, "none");
	out->nested = -1;
	find_name(&machine, out);
	set_name(out->role, find_role(&machine, out));
	if (out->base != 0)
		read_own_leaves(source, out);
	if (machine.hyperv)
		read_hyperv(source, out);
}

void gsync_hypervisor_glance(const struct gsync_source *source, struct gsync_conditions *out)
{
	struct gsync_cpuid regs;

	out->dedicated = out->emulated = false;
	if (!source->cpuid(source->context, 0, 0, &regs)) {
		out->guest = find_in_device_tree(source) != NULL;
		return;
	}
	out->guest = read_leaf(source, 1).ecx & LEAF1_ECX_HYPERVISOR;
	/* KVM's own leaves stand first, or behind one other interface. */
	for (uint32_t base = LEAF_SCAN_FIRST; out->guest && base <= LEAF_SCAN_FIRST + LEAF_SCAN_STEP; base += LEAF_SCAN_STEP) {
		char bytes[SIGNATURE_SIZE];

		regs = read_leaf(source, base);
		join_registers(bytes, regs.ebx, regs.ecx, regs.edx);
		if (memcmp(bytes, "KVMKVMKVM\0\0\0", SIGNATURE_SIZE) == 0)
			out->dedicated = read_leaf(source, base + 1).edx & KVM_HINT_REALTIME;
		else if (memcmp(bytes, "TCGTCGTCGTCG", SIGNATURE_SIZE) == 0)
			out->emulated = true;
	}
}
