/* SPDX-License-Identifier: MIT */
/*
 * detect/: what is concluded from CPUID and from /proc and /sys, on machines
 * that we do not have.
 */
#include "tests/unit/fake_machine.h"

#include <limits.h>

static void assert_hypervisor(struct fake *fake, const char *name)
{
	struct gsync_hypervisor hypervisor;

	gsync_hypervisor_read(&fake->source, &hypervisor);
	assert_string_equal(hypervisor.name, name);
}

static void assert_layers(const struct gsync_hypervisor *hypervisor, const char *first, const char *second)
{
	assert_int_equal(hypervisor->layer_count, second ? 2 : 1);
	assert_string_equal(hypervisor->layers[0], first);
	if (second)
		assert_string_equal(hypervisor->layers[1], second);
}

static void assert_container(struct fake *fake, const char *name)
{
	char container[GSYNC_NAME_MAX];

	gsync_container_read(&fake->source, container);
	assert_string_equal(container, name);
}

static void assert_cpus(struct fake *fake, double quota, double usable)
{
	struct gsync_cpus cpus;

	gsync_cpus_read(&fake->source, &cpus);
	assert_float_equal(cpus.quota, quota, 1e-6);
	assert_float_equal(cpus.usable, usable, 1e-6);
}

/* ---- hypervisors that sign in CPUID */

static void test_every_signature_has_its_name(void **state)
{
	static const struct {
		const char *bytes;
		const char *name;
	} cases[] = {
		{ "KVMKVMKVM\0\0\0", "kvm" },	 { "Linux KVM Hv", "kvm" },	   { "TCGTCGTCGTCG", "qemu" },
		{ "Microsoft Hv", "microsoft" }, { "XenVMMXenVMM", "xen" },	   { "VMwareVMware", "vmware" },
		{ "VBoxVBoxVBox", "oracle" },	 { "prl hyperv  ", "parallels" },  { " prl hyperv ", "parallels" },
		{ " lrpepyh  vr", "parallels" }, { "bhyve bhyve ", "bhyve" },	   { "BHyVE BHyVE ", "bhyve" },
		{ "ACRNACRNACRN", "acrn" },	 { "QNXQVMBSQG\0\0", "qnx" },	   { " QNXQVMBSQG ", "qnx" },
		{ "Jailhouse\0\0\0", "jailhouse" }, { "Apple VZ\0\0\0\0", "apple" }, { "OpenBSDVMM58", "openbsd-vmm" },
		{ "___ NVMM ___", "nvmm" },	 { "HAXMHAXMHAXM", "haxm" },	   { "UnisysSpar64", "unisys" },
		{ "SRESRESRESRE", "sre" },	 { "LKVMLKVMLKVM", "kvmtool" },	   { "EVMMEVMMEVMM", "evmm" },
		{ "Napocahv    ", "napoca" },	 { "Barevisor!\0\0", "barevisor" }, { "MiniVisor\0\0\0", "minivisor" },
		{ "NoirVisor ZT", "noirvisor" }, { "FEXIFEXIEMU\0", "fex" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gsync_hypervisor hypervisor;
		struct fake fake;

		guest_init(&fake);
		add_signature(&fake, 0x40000000, 0x40000001, cases[i].bytes);
		gsync_hypervisor_read(&fake.source, &hypervisor);
		assert_string_equal(hypervisor.name, cases[i].name);
		assert_layers(&hypervisor, cases[i].name, NULL);
		assert_string_equal(hypervisor.signature, "");
	}
}

static void test_all_twelve_bytes_count(void **state)
{
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000001, "KVMKVMKVM\0\0X");
	assert_hypervisor(&fake, "unknown");
}

static void test_kvm_shows_its_features_and_hints(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000001, "KVMKVMKVM\0\0\0");
	add_leaf(&fake, 0x40000001, 0x01007efb, 0, 0, 1);
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_int_equal(hypervisor.base, 0x40000000);
	assert_int_equal(hypervisor.features, 0x01007efb);
	assert_int_equal(hypervisor.hints, 1);
}

static void test_old_kvm_says_max_leaf_0_and_still_has_features(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0, "KVMKVMKVM\0\0\0");
	add_leaf(&fake, 0x40000001, 0x3b, 0, 0, 0);
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_int_equal(hypervisor.features, 0x3b);
}

static void test_kvm_without_a_feature_leaf_has_no_features(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000000, "KVMKVMKVM\0\0\0");
	add_leaf(&fake, 0x40000001, 0xffffffff, 0, 0, 0xffffffff);
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_string_equal(hypervisor.name, "kvm");
	assert_int_equal(hypervisor.features, 0);
	assert_int_equal(hypervisor.hints, 0);
}

static void test_who_stands_behind_hyperv_is_preferred(void **state)
{
	static const struct {
		const char *bytes;
		const char *name;
	} cases[] = { { "KVMKVMKVM\0\0\0", "kvm" }, { "XenVMMXenVMM", "xen" }, { "ACRNACRNACRN", "acrn" } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gsync_hypervisor hypervisor;
		struct fake fake;

		guest_init(&fake);
		add_signature(&fake, 0x40000000, 0x40000006, "Microsoft Hv");
		add_signature(&fake, 0x40000100, 0x40000101, cases[i].bytes);
		gsync_hypervisor_read(&fake.source, &hypervisor);
		assert_string_equal(hypervisor.name, cases[i].name);
		assert_int_equal(hypervisor.base, 0x40000100);
		assert_layers(&hypervisor, "microsoft", cases[i].name);
	}
}

static void test_kvm_behind_hyperv_has_its_features_at_its_own_base(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000006, "Linux KVM Hv");
	add_leaf(&fake, 0x40000001, 0x31237648, 0, 0, 0); /* Hv#1: not KVM's features */
	add_signature(&fake, 0x40000100, 0x40000101, "KVMKVMKVM\0\0\0");
	add_leaf(&fake, 0x40000101, 0xa0, 0, 0, 0);
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_string_equal(hypervisor.name, "kvm");
	assert_layers(&hypervisor, "kvm", NULL);
	assert_int_equal(hypervisor.base, 0x40000100);
	assert_int_equal(hypervisor.features, 0xa0);
}

static void test_hyperv_leaves_of_kvm_are_not_its_features(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000006, "Linux KVM Hv");
	add_leaf(&fake, 0x40000001, 0x31237648, 0, 0, 0);
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_string_equal(hypervisor.name, "kvm");
	assert_int_equal(hypervisor.base, 0);
	assert_int_equal(hypervisor.features, 0);
}

static void test_the_last_leaf_of_the_scan_is_seen_and_the_next_is_not(void **state)
{
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40010000, 0x40010001, "XenVMMXenVMM");
	assert_hypervisor(&fake, "xen");
	guest_init(&fake);
	add_signature(&fake, 0x40010100, 0x40010101, "XenVMMXenVMM");
	assert_hypervisor(&fake, "unknown");
}

static void test_more_layers_than_there_is_room_for_do_no_harm(void **state)
{
	static const char *const bytes[] = {
		"Microsoft Hv", "XenVMMXenVMM", "VMwareVMware", "VBoxVBoxVBox", "KVMKVMKVM\0\0\0", "ACRNACRNACRN",
		"SRESRESRESRE", "HAXMHAXMHAXM", "UnisysSpar64", "LKVMLKVMLKVM", "bhyve bhyve ",
	};
	struct gsync_hypervisor hypervisor;
	struct fake fake;
	uint32_t i;

	(void)state;
	guest_init(&fake);
	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
		add_signature(&fake, 0x40000000 + i * 0x100, 0, bytes[i]);
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_int_equal(hypervisor.layer_count, GSYNC_LAYERS_MAX);
	assert_string_equal(hypervisor.name, "xen");
}

static void test_one_signature_at_every_leaf_is_one_layer(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;
	uint32_t i;

	(void)state;
	guest_init(&fake);
	for (i = 0; i < 10; i++)
		add_signature(&fake, 0x40000000 + i * 0x100, 0, "XenVMMXenVMM");
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_layers(&hypervisor, "xen", NULL);
	assert_int_equal(hypervisor.base, 0x40000000);
}

static void test_without_the_hypervisor_bit_signatures_are_not_trusted(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_leaf(&fake, 1, 0, 0, 0x7fffffff, 0);
	add_signature(&fake, 0x40000000, 0x40000001, "KVMKVMKVM\0\0\0");
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_string_equal(hypervisor.name, "none");
	assert_int_equal(hypervisor.layer_count, 0);
	assert_int_equal(hypervisor.base, 0);
}

static void test_an_unknown_signature_is_an_unknown_vm_and_is_shown(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000001, "New\x01Thing\0\0\0");
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_string_equal(hypervisor.name, "unknown");
	assert_layers(&hypervisor, "unknown", NULL);
	assert_string_equal(hypervisor.signature, "New.Thing");
}

static void test_all_zero_signature_is_qemu_only_where_dmi_says_so(void **state)
{
	struct fake fake;

	(void)state;
	guest_init(&fake);
	assert_hypervisor(&fake, "unknown");
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "QEMU\n");
	assert_hypervisor(&fake, "qemu");
	/* … and not where the CPU says it is no guest, but the firmware decides. */
	fake_init(&fake);
	assert_hypervisor(&fake, "none");
}

static void test_an_emulated_cpu_is_a_layer_and_a_name_of_last_resort(void **state)
{
	static const struct {
		const char *vendor;
		const char *name;
	} cases[] = { { "VirtualApple", "rosetta" },  { "MicrosoftXTA", "xta" },  { "Virtual CPU ", "virtualpc" },
		      { "Insignia 586", "insignia" }, { "PowerVM Lx86", "lx86" }, { "Neko Project", "neko" } };
	struct gsync_hypervisor hypervisor;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake fake;
		uint32_t regs[3];

		memcpy(regs, cases[i].vendor, sizeof(regs));
		fake_init(&fake);
		add_leaf(&fake, 0, 0x16, regs[0], regs[2], regs[1]); /* leaf 0 has the order EBX, EDX, ECX */
		assert_hypervisor(&fake, cases[i].name);
		add_leaf(&fake, 1, 0, 0, HYPERVISOR_BIT, 0);
		add_signature(&fake, 0x40000000, 0, "Apple VZ\0\0\0\0");
		gsync_hypervisor_read(&fake.source, &hypervisor);
		assert_string_equal(hypervisor.name, "apple");
		assert_layers(&hypervisor, "apple", cases[i].name);
	}
}

static void assert_confidential(struct fake *fake, const char *kind)
{
	struct gsync_hypervisor hypervisor;

	gsync_hypervisor_read(&fake->source, &hypervisor);
	assert_string_equal(hypervisor.confidential, kind);
}

static void test_confidential_guests_are_recognised(void **state)
{
	struct fake fake;

	(void)state;
	guest_init(&fake);
	assert_confidential(&fake, "none");
	add_leaf(&fake, 0, 0x21, 0, 0, 0);
	add_leaf(&fake, 0x21, 0, 0x65746e49, 0x20202020, 0x5844546c); /* "Inte", EDX "lTDX", ECX "    " */
	assert_confidential(&fake, "tdx");

	guest_init(&fake);
	add_leaf(&fake, 0x80000000, 0x80000021, 0, 0, 0);
	add_leaf(&fake, 0x8000001f, 2, 0, 0, 0);
	assert_confidential(&fake, "sev");
	add_leaf(&fake, 1, 0, 0, 0, 0); /* a host with SEV is not confidential itself */
	assert_confidential(&fake, "none");

	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x4000000c, "Microsoft Hv");
	add_leaf(&fake, 0x4000000c, 0, 2, 0, 0);
	assert_confidential(&fake, "none");
	add_leaf(&fake, 0x40000003, 0, 1u << 22, 0, 0);
	assert_confidential(&fake, "sev-snp");
	add_leaf(&fake, 0x40000003, 0, 1u << 22 | 1u << 12, 0, 0);
	assert_confidential(&fake, "none");
}

/* ---- the firmware's word */

static void test_virtualbox_and_parallels_show_in_dmi_behind_kvms_interface(void **state)
{
	static const struct {
		const char *file;
		const char *content;
		const char *name;
	} cases[] = {
		{ "/sys/class/dmi/id/sys_vendor", "innotek GmbH\n", "oracle" },
		{ "/sys/class/dmi/id/product_name", "VirtualBox\n", "oracle" },
		{ "/sys/class/dmi/id/board_vendor", "Oracle Corporation\n", "oracle" },
		{ "/sys/class/dmi/id/sys_vendor", "Parallels Software International Inc.\n", "parallels" },
	};
	static const char *const interfaces[] = { "KVMKVMKVM\0\0\0", "Microsoft Hv" };
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (j = 0; j < 2; j++) {
			struct gsync_hypervisor hypervisor;
			struct fake fake;

			guest_init(&fake);
			add_signature(&fake, 0x40000000, 0x40000001, interfaces[j]);
			add_leaf(&fake, 0x40000001, 0xff, 0, 0, 1);
			add_file(&fake, cases[i].file, cases[i].content);
			gsync_hypervisor_read(&fake.source, &hypervisor);
			assert_string_equal(hypervisor.name, cases[i].name);
			assert_layers(&hypervisor, j == 0 ? "kvm" : "microsoft", cases[i].name);
			assert_int_equal(hypervisor.base, 0);
			assert_int_equal(hypervisor.hints, 0);
		}
	}
}

static void test_dmi_does_not_overrule_a_signature_nobody_imitates(void **state)
{
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0, "VMwareVMware");
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "innotek GmbH\n");
	assert_hypervisor(&fake, "vmware");
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0, "KVMKVMKVM\0\0\0");
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
	assert_hypervisor(&fake, "kvm");
}

static void test_hyperv_alone_yields_to_dmi(void **state)
{
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0, "Microsoft Hv");
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "Microsoft Corporation\n");
	assert_hypervisor(&fake, "microsoft");
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "QEMU\n");
	assert_hypervisor(&fake, "qemu");
}

static void test_dmi_decides_where_cpuid_shows_nothing(void **state)
{
	static const struct {
		const char *file;
		const char *content;
		const char *name;
	} cases[] = {
		{ "product_name", "KVM", "kvm" },	    { "product_name", "OpenStack Nova\n", "kvm" },
		{ "sys_vendor", "KubeVirt\n", "kvm" },	    { "sys_vendor", "QEMU\n", "qemu" },
		{ "sys_vendor", "VMware, Inc.\n", "vmware" }, { "bios_vendor", "VMW\n", "vmware" },
		{ "bios_vendor", "innotek GmbH\n", "oracle" }, { "sys_vendor", "Xen\n", "xen" },
		{ "bios_vendor", "Bochs\n", "bochs" },	    { "sys_vendor", "Parallels\n", "parallels" },
		{ "bios_vendor", "BHYVE\n", "bhyve" },	    { "product_version", "Hyper-V UEFI v4.1\n", "microsoft" },
		{ "product_name", "Apple Virtualization Generic Platform\n", "apple" },
		{ "chassis_vendor", "QEMU\n", "qemu" },
		{ "sys_vendor", "Dell Inc.\n", "none" },    { "product_version", "About KVM\n", "none" },
		{ "board_vendor", "\n", "none" },	    { "board_vendor", "", "none" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[128];
		struct fake fake;

		snprintf(path, sizeof(path), "/sys/class/dmi/id/%s", cases[i].file);
		fake_init(&fake);
		add_file(&fake, path, cases[i].content);
		assert_hypervisor(&fake, cases[i].name);
	}
}

static void test_makers_of_real_machines_are_no_proof_on_x86_without_the_bit(void **state)
{
	static const char *const vendors[] = { "Amazon EC2\n", "Google Compute Engine\n", "Oracle Corporation\n" };
	static const char *const names[] = { "amazon", "google", "oracle" };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct fake fake;

		fake_init(&fake);
		add_file(&fake, "/sys/class/dmi/id/sys_vendor", vendors[i]);
		assert_hypervisor(&fake, "none");
		add_leaf(&fake, 1, 0, 0, HYPERVISOR_BIT, 0);
		assert_hypervisor(&fake, names[i]);
	}
}

static void test_oracle_sells_real_machines_without_cpuid_too(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake.x86 = false;
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "Oracle Corporation\n");
	assert_hypervisor(&fake, "none");
}

static void test_xen_shows_in_sysfs_where_cpuid_is_hidden(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/sys/hypervisor/type", "xen\n");
	assert_hypervisor(&fake, "xen");
}

static void test_the_firmwares_bit_makes_an_unknown_vm(void **state)
{
	char table[24] = { 0, 24 };
	struct fake fake;

	(void)state;
	table[19] = 0x10;
	fake_init(&fake);
	add_bytes(&fake, "/sys/firmware/dmi/entries/0-0/raw", table, sizeof(table));
	assert_hypervisor(&fake, "unknown");
	add_bytes(&fake, "/sys/firmware/dmi/entries/0-0/raw", table, 19); /* an old firmware's table ends before */
	assert_hypervisor(&fake, "none");
	table[1] = 19;
	add_bytes(&fake, "/sys/firmware/dmi/entries/0-0/raw", table, sizeof(table));
	assert_hypervisor(&fake, "none");
	table[1] = 24;
	table[19] = 0xf & ~0x10;
	assert_hypervisor(&fake, "none");
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "QEMU\n");
	assert_hypervisor(&fake, "qemu");
}

/* ---- no CPUID at all */

static void test_without_cpuid_nothing_is_asked_of_it(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000001, "KVMKVMKVM\0\0\0");
	fake.x86 = false;
	gsync_hypervisor_read(&fake.source, &hypervisor);
	assert_string_equal(hypervisor.name, "none");
	assert_string_equal(hypervisor.confidential, "none");
	assert_int_equal(hypervisor.layer_count, 0);
	assert_int_equal(fake.leaf_calls, 0);
}

static void test_without_cpuid_the_device_tree_tells(void **state)
{
	static const struct {
		const char *file;
		const char *content;
		size_t size;
		const char *name;
	} cases[] = {
		{ "/proc/device-tree/hypervisor/compatible", "linux,kvm", 10, "kvm" },
		{ "/proc/device-tree/hypervisor/compatible", "xen,xen-4.17\0xen,xen", 21, "xen" },
		{ "/proc/device-tree/hypervisor/compatible", "vmware", 7, "vmware" },
		{ "/proc/device-tree/hypervisor/compatible", "somebody,else", 14, "unknown" },
		{ "/proc/device-tree/fw-cfg@9020000/compatible", "qemu,fw-cfg-mmio", 17, "qemu" },
		{ "/proc/device-tree/compatible", "linux,dummy-virt", 17, "unknown" },
		{ "/proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711", 35, "none" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake fake;

		fake_init(&fake);
		fake.x86 = false;
		add_bytes(&fake, cases[i].file, cases[i].content, cases[i].size);
		assert_hypervisor(&fake, cases[i].name);
	}
}

static void test_without_cpuid_metal_in_the_product_name_is_no_vm(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake.x86 = false;
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
	assert_hypervisor(&fake, "amazon");
	add_file(&fake, "/sys/class/dmi/id/product_name", "c7g.large\n");
	assert_hypervisor(&fake, "amazon");
	add_file(&fake, "/sys/class/dmi/id/product_name", "c7g.metal\n");
	assert_hypervisor(&fake, "none");
	add_file(&fake, "/sys/class/dmi/id/product_name", "m8g.metal-24xl\n");
	assert_hypervisor(&fake, "none");
}

/* ---- containers */

static void test_every_container_manager_is_named(void **state)
{
	static const char *const names[] = { "lxc",    "lxc-libvirt", "systemd-nspawn", "docker", "podman",
					     "rkt",    "wsl",	      "proot",		"pouch",  "openvz" };
	static const char *const files[] = { "/run/host/container-manager", "/run/systemd/container" };
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char content[64];
		struct fake fake;

		for (j = 0; j < 2; j++) {
			snprintf(content, sizeof(content), "%s\n", names[i]);
			fake_init(&fake);
			add_file(&fake, files[j], content);
			assert_container(&fake, names[i]);
		}
		snprintf(content, sizeof(content), "container=%s", names[i]);
		fake_init(&fake);
		add_file(&fake, "/proc/1/environ", content);
		assert_container(&fake, names[i]);
	}
}

static void test_containers_show_by_marks(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	assert_container(&fake, "none");
	add_file(&fake, "/.dockerenv", "");
	assert_container(&fake, "docker");
	add_file(&fake, "/run/.containerenv", "");
	assert_container(&fake, "podman");
}

static void test_openvz_is_vz_without_bc(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_directory(&fake, "/proc/vz");
	assert_container(&fake, "openvz");
	add_directory(&fake, "/proc/bc");
	assert_container(&fake, "none");
}

static void test_wsl_shows_in_the_kernel_release(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
	assert_container(&fake, "none");
	add_file(&fake, "/proc/sys/kernel/osrelease", "4.4.0-19041-Microsoft\n");
	assert_container(&fake, "wsl");
	add_file(&fake, "/proc/sys/kernel/osrelease", "5.15.153.1-microsoft-standard-WSL2\n");
	assert_container(&fake, "wsl");
}

static void test_proot_is_recognised_by_its_tracer(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/self/status", "Name:\tcat\nPid:\t7\nTracerPid:\t42\nUid:\t0\n");
	assert_container(&fake, "none");
	add_file(&fake, "/proc/42/comm", "gdb\n");
	assert_container(&fake, "none");
	add_file(&fake, "/proc/42/comm", "proot-static\n");
	assert_container(&fake, "proot");
	add_file(&fake, "/proc/self/status", "Name:\tcat\nPid:\t7\nTracerPid:\t0\n");
	assert_container(&fake, "none");
}

static void test_the_variable_is_found_among_others(void **state)
{
	static const char environment[] = "PATH=/bin\0mycontainer=lxc\0container=podman\0HOME=/";
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_bytes(&fake, "/proc/1/environ", environment, sizeof(environment));
	assert_container(&fake, "podman");
	add_file(&fake, "/proc/1/environ", "mycontainer=lxc");
	assert_container(&fake, "none");
}

static void test_a_manager_we_do_not_know_is_still_a_container(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/run/systemd/container", "brand-new\n");
	assert_container(&fake, "container-other");
}

static void test_oci_alone_says_too_little(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/run/host/container-manager", "oci\n");
	add_file(&fake, "/.dockerenv", "");
	assert_container(&fake, "docker");
}

static void test_earlier_evidence_of_a_container_wins(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/.dockerenv", "");
	add_file(&fake, "/proc/1/environ", "container=lxc");
	assert_container(&fake, "lxc");
	add_file(&fake, "/run/systemd/container", "podman");
	assert_container(&fake, "podman");
	add_file(&fake, "/run/host/container-manager", "systemd-nspawn");
	assert_container(&fake, "systemd-nspawn");
}

static void test_a_cgroup_namespace_is_some_container(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/sys/fs/cgroup/cgroup.type", "domain\n");
	assert_container(&fake, "container-other");
	fake_init(&fake);
	add_file(&fake, "/sys/fs/cgroup/systemd/cgroup.procs", "1\n");
	assert_container(&fake, "container-other");
	add_file(&fake, "/sys/fs/cgroup/systemd/release_agent", "\n");
	assert_container(&fake, "none");
}

/* ---- CPUs */

static void test_usable_is_the_smallest_of_what_is_known(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	assert_cpus(&fake, 0, 8);
	fake.affinity = 3;
	assert_cpus(&fake, 0, 3);
	fake.affinity = 0;
	assert_cpus(&fake, 0, 8);
	fake.affinity = 5;
	fake.online = 0;
	assert_cpus(&fake, 0, 5);
	fake.online = INT_MIN;
	fake.affinity = -1;
	assert_cpus(&fake, 0, 1);
}

#define V2_MOUNTS                                                                                                      \
	"22 27 0:21 / /proc rw,relatime - proc proc rw\n"                                                             \
	"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

#define V1_MOUNTS                                                                                                      \
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"                                         \
	"34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"                                  \
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct\n"

static void v2_init(struct fake *fake, const char *group)
{
	fake_init(fake);
	add_file(fake, "/proc/self/cgroup", group);
	add_file(fake, "/proc/self/mountinfo", V2_MOUNTS);
}

static void v1_init(struct fake *fake)
{
	fake_init(fake);
	add_file(fake, "/proc/self/cgroup", "9:name=systemd:/x\n3:cpuset:/elsewhere\n4:cpu,cpuacct:/a/b\n");
	add_file(fake, "/proc/self/mountinfo", V1_MOUNTS);
}

static void test_v2_quota_of_the_own_group(void **state)
{
	struct fake fake;

	(void)state;
	v2_init(&fake, "0::/a/b\n");
	assert_cpus(&fake, 0, 8);
	add_file(&fake, "/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
	assert_cpus(&fake, 1.5, 1.5);
	add_file(&fake, "/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	assert_cpus(&fake, 0, 8);
	add_file(&fake, "/sys/fs/cgroup/a/b/cpu.max", "6400000 100000\n");
	assert_cpus(&fake, 64, 8);
}

static void test_v2_every_parent_throttles(void **state)
{
	static const char *const levels[] = { "/sys/fs/cgroup/a/b/cpu.max", "/sys/fs/cgroup/a/cpu.max",
					      "/sys/fs/cgroup/cpu.max" };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct fake fake;
		size_t j;

		v2_init(&fake, "0::/a/b\n");
		for (j = 0; j < 3; j++)
			add_file(&fake, levels[j], j == i ? "50000 100000\n" : "400000 100000\n");
		assert_cpus(&fake, 0.5, 0.5);
	}
}

static void test_v2_groups_beside_and_above_the_mount_do_not_count(void **state)
{
	struct fake fake;

	(void)state;
	v2_init(&fake, "0::/a/b\n");
	add_file(&fake, "/sys/fs/cgroup/a/bb/cpu.max", "50000 100000\n");
	add_file(&fake, "/sys/fs/cpu.max", "50000 100000\n");
	add_file(&fake, "/cpu.max", "50000 100000\n");
	assert_cpus(&fake, 0, 8);
}

static void test_v1_quota_of_the_own_group(void **state)
{
	struct fake fake;

	(void)state;
	v1_init(&fake);
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "150000\n");
	assert_cpus(&fake, 0, 8); /* no period: no limit known */
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
	assert_cpus(&fake, 1.5, 1.5);
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
	assert_cpus(&fake, 0, 8);
	/* The group of another controller is not ours. */
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/elsewhere/cpu.cfs_quota_us", "10000\n");
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/elsewhere/cpu.cfs_period_us", "100000\n");
	assert_cpus(&fake, 0, 8);
}

static void test_v1_every_parent_throttles(void **state)
{
	struct fake fake;

	(void)state;
	v1_init(&fake);
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "200000\n");
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "30000\n");
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "20000\n");
	assert_cpus(&fake, 1.5, 1.5);
}

static void test_hybrid_takes_the_tree_that_has_the_controller(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/self/cgroup", "1:cpu:/v1\n0::/v2\n");
	add_file(&fake, "/proc/self/mountinfo",
		 V1_MOUNTS "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n");
	add_file(&fake, "/sys/fs/cgroup/unified/v2/cpu.max", "300000 100000\n");
	assert_cpus(&fake, 3, 3);
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/v1/cpu.cfs_quota_us", "200000\n");
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/v1/cpu.cfs_period_us", "100000\n");
	assert_cpus(&fake, 2, 2);
}

/* Docker on a v1 host: the mount shows the container's group only, whose path is the host's. */
static void test_what_the_mount_hides_is_stripped_from_the_path(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/self/cgroup", "4:cpu:/docker/abc/inner\n");
	add_file(&fake, "/proc/self/mountinfo",
		 "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
	add_file(&fake, "/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "250000\n");
	add_file(&fake, "/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
	assert_cpus(&fake, 2.5, 2.5);
	add_file(&fake, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
	add_file(&fake, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	assert_cpus(&fake, 1, 1);
}

static void test_a_path_outside_the_mount_means_the_mount_point(void **state)
{
	static const char *const groups[] = { "0::/docker/abcdef\n", "0::/elsewhere\n", "0::/../sibling\n", "0::/..\n",
					      "0::/docker/abc\n",    "0::/\n" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		struct fake fake;

		fake_init(&fake);
		add_file(&fake, "/proc/self/cgroup", groups[i]);
		add_file(&fake, "/proc/self/mountinfo", "30 23 0:26 /docker/abc /cg rw - cgroup2 cgroup2 rw\n");
		add_file(&fake, "/cg/cpu.max", "125000 50000\n");
		add_file(&fake, "/cg/../cpu.max", "10000 50000\n");
		add_file(&fake, "/cg/../sibling/cpu.max", "10000 50000\n");
		assert_cpus(&fake, 2.5, 2.5);
	}
}

static void test_a_path_that_climbs_out_of_the_namespace_means_the_mount_point(void **state)
{
	static const char *const groups[] = { "0::/../sibling\n", "0::/..\n", "0::/a/..\n", "0::/../../a/b\n" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		struct fake fake;

		v2_init(&fake, groups[i]);
		add_file(&fake, "/sys/fs/cgroup/cpu.max", "300000 100000\n");
		add_file(&fake, "/sys/fs/cgroup/../cpu.max", "10000 100000\n");
		add_file(&fake, "/sys/fs/cgroup/../sibling/cpu.max", "10000 100000\n");
		add_file(&fake, "/sys/fs/cgroup/a/../cpu.max", "10000 100000\n");
		add_file(&fake, "/sys/fs/cgroup/../../a/b/cpu.max", "10000 100000\n");
		assert_cpus(&fake, 3, 3);
	}
}

/* Dots in a name are only a name. */
static void test_a_group_may_have_dots_in_its_name(void **state)
{
	struct fake fake;

	(void)state;
	v2_init(&fake, "0::/..a/...\n");
	add_file(&fake, "/sys/fs/cgroup/..a/.../cpu.max", "300000 100000\n");
	assert_cpus(&fake, 3, 3);
}

static void test_a_group_that_is_not_there_means_the_mount_point(void **state)
{
	struct fake fake;

	(void)state;
	v2_init(&fake, "0::/kubepods/pod1/gone (deleted)\n");
	add_file(&fake, "/sys/fs/cgroup/cpu.max", "100000 100000\n");
	assert_cpus(&fake, 1, 1);
}

static void test_of_several_mounts_the_one_on_top_that_shows_the_group(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/self/cgroup", "0::/a/b\n");
	add_file(&fake, "/proc/self/mountinfo",
		 "30 23 0:26 /other /mnt/other rw - cgroup2 cgroup2 rw\n"
		 "31 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
		 "32 23 0:26 /a /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
		 "33 23 0:26 /a/b /mnt/part rw - cgroup2 cgroup2 rw\n");
	add_file(&fake, "/sys/fs/cgroup/b/cpu.max", "200000 100000\n");
	add_file(&fake, "/mnt/other/cpu.max", "100000 100000\n");
	assert_cpus(&fake, 2, 2);
}

static void test_blanks_in_a_mount_point_are_unescaped(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/self/cgroup", "0::/\n");
	add_file(&fake, "/proc/self/mountinfo", "30 23 0:26 / /my\\040cgroups\\134x rw - cgroup2 cgroup2 rw\n");
	add_file(&fake, "/my cgroups\\x/cpu.max", "100000 100000\n");
	assert_cpus(&fake, 1, 1);
}

static void test_without_mountinfo_the_customary_places_serve(void **state)
{
	static const char *const v1_places[] = { "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct" };
	struct fake fake;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		char quota[128], period[128];

		fake_init(&fake);
		add_file(&fake, "/proc/self/cgroup", "2:cpu:/a\n");
		snprintf(quota, sizeof(quota), "%s/a/cpu.cfs_quota_us", v1_places[i]);
		snprintf(period, sizeof(period), "%s/a/cpu.cfs_period_us", v1_places[i]);
		add_file(&fake, quota, "300000\n");
		add_file(&fake, period, "100000\n");
		assert_cpus(&fake, 3, 3);
	}
	fake_init(&fake);
	add_file(&fake, "/proc/self/cgroup", "0::/a\n");
	add_file(&fake, "/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
	assert_cpus(&fake, 4, 4);
	/* … and without any /proc the limit of the mount point still holds. */
	fake_init(&fake);
	add_file(&fake, "/sys/fs/cgroup/cpu.max", "400000 100000\n");
	assert_cpus(&fake, 4, 4);
}

static void test_mounts_beyond_what_is_read_are_replaced_by_the_customary_place(void **state)
{
	static char mounts[40000];
	struct fake fake;
	size_t length = 0;

	(void)state;
	while (length < 20000)
		length += (size_t)sprintf(mounts + length, "99 23 0:77 / /some/mount%zu rw - tmpfs tmpfs rw\n", length);
	strcpy(mounts + length, V2_MOUNTS);
	fake_init(&fake);
	add_file(&fake, "/proc/self/cgroup", "0::/a\n");
	add_file(&fake, "/proc/self/mountinfo", mounts);
	add_file(&fake, "/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
	assert_cpus(&fake, 4, 4);
}

/* "rw,cpuacct" cut short reads "rw,cpu". */
static void test_a_mount_line_cut_in_half_is_not_believed(void **state)
{
	static char mounts[40000];
	const char *mount = "30 23 0:26 / /accounting rw - cgroup cgroup rw,cpuacct\n";
	size_t cut;

	(void)state;
	/* Wherever in the line the first read happens to end. */
	for (cut = 0; cut < strlen(mount); cut++) {
		size_t length = 6143 - cut;
		struct fake fake;

		memset(mounts, 'x', length);
		mounts[length - 1] = '\n';
		strcpy(mounts + length, mount);
		fake_init(&fake);
		add_file(&fake, "/proc/self/cgroup", "1:cpu:/\n");
		add_file(&fake, "/proc/self/mountinfo", mounts);
		add_file(&fake, "/accounting/cpu.cfs_quota_us", "10000\n");
		add_file(&fake, "/accounting/cpu.cfs_period_us", "100000\n");
		add_file(&fake, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
		add_file(&fake, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
		assert_cpus(&fake, 4, 4);
	}
}

static void test_of_a_path_too_long_the_parents_still_count(void **state)
{
	static char group[8000], cut_short[8000];
	struct fake fake;
	size_t length;

	(void)state;
	strcpy(group, "0::/pod");
	memset(group + 7, 'x', 5000);
	group[7] = '/';
	strcpy(group + 5007, "/y\n");
	/* … and no group whose name is the beginning of ours is taken for it. */
	for (length = 100; length < 1200; length++) {
		snprintf(cut_short, sizeof(cut_short), "/sys/fs/cgroup%.*s/cpu.max", (int)length, group + 3);
		v2_init(&fake, group);
		add_file(&fake, "/sys/fs/cgroup/pod/cpu.max", "200000 100000\n");
		add_file(&fake, cut_short, "10000 100000\n");
		assert_cpus(&fake, 2, 2);
	}
}

/* ---- whatever the files contain */

static void assert_sane_count(uint64_t value)
{
	assert_true(value <= GSYNC_COUNT_MAX || value == GSYNC_UNKNOWN);
}

static bool is_printable(const char text[GSYNC_NAME_MAX])
{
	size_t length = strnlen(text, GSYNC_NAME_MAX);
	size_t i;

	for (i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return length < GSYNC_NAME_MAX;
}

static void assert_sane(struct fake *fake)
{
	struct gsync_facts facts;
	int i;

	memset(&facts, 0xa5, sizeof(facts));
	gsync_facts_read(&fake->source, &facts);
	assert_in_range(strnlen(facts.hypervisor.name, GSYNC_NAME_MAX), 1, GSYNC_NAME_MAX - 1);
	assert_in_range(strnlen(facts.container, GSYNC_NAME_MAX), 1, GSYNC_NAME_MAX - 1);
	assert_in_range(strnlen(facts.hypervisor.confidential, GSYNC_NAME_MAX), 1, GSYNC_NAME_MAX - 1);
	assert_in_range(facts.hypervisor.layer_count, 0, GSYNC_LAYERS_MAX);
	for (i = 0; i < facts.hypervisor.layer_count; i++)
		assert_in_range(strnlen(facts.hypervisor.layers[i], GSYNC_NAME_MAX), 1, GSYNC_NAME_MAX - 1);
	assert_true(facts.cpus.quota >= 0 && facts.cpus.quota <= 1e18);
	assert_true(facts.cpus.usable >= 0.01 && facts.cpus.usable <= 8);
	assert_true(facts.steal_percent <= 100);
	assert_true(facts.load.pressure_avg10 <= 100);
	assert_sane_count(facts.load.run_queue_wait_ns);
	assert_sane_count(facts.load.runnable);
	assert_sane_count(facts.load.throttled_periods);
	assert_sane_count(facts.load.throttled_ns);
	assert_true(is_printable(facts.idle.driver) && is_printable(facts.idle.governor));
	assert_true(is_printable(facts.hypervisor.role) && is_printable(facts.hypervisor.version));
}

static char long_line[20000], long_lines[20000], long_path[20000];
static const char binary[] = "\xff\xfe\0\x01\n\n\0 \x80 -- ::/\0/ \n0::\0";
static const char *const read_paths[] = {
	"/proc/self/cgroup", "/proc/self/mountinfo", "/proc/stat", "/proc/self/status", "/proc/1/environ",
	"/proc/sys/kernel/osrelease", "/run/host/container-manager", "/run/systemd/container",
	"/sys/fs/cgroup/a/cpu.max", "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us",
	"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "/sys/class/dmi/id/product_name",
	"/sys/class/dmi/id/sys_vendor", "/sys/hypervisor/type", "/proc/device-tree/hypervisor/compatible",
	"/proc/device-tree/compatible", "/proc/thread-self/schedstat", "/proc/loadavg", "/proc/pressure/cpu",
	"/sys/fs/cgroup/a/cpu.stat", "/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/a/cpu.stat",
	"/sys/devices/system/cpu/cpuidle/current_driver", "/sys/devices/system/cpu/cpuidle/current_governor",
	"/proc/cpuinfo", "/sys/hypervisor/properties/features", "/proc/xen/capabilities",
};
static const char *const strange[] = {
	"", "\n", " ", "0", "0 0\n", "-1", "-1 -1\n", "max", "max\n", "max max\n", "100000 0\n", "0 100000\n",
	"1 999999999999999999\n", "999999999999999999 1\n", "99999999999999999999 99999999999999999999\n",
	"18446744073709551616", "-9223372036854775808 100000", "100000", "150000 -100000", "1e9 1", "0x10 1",
	"nan", "inf 1", "%s%n%s", "::", ":", "0::", "0:", "0::/", "0::x", "1:cpu:", "1:cpu", ":cpu:/", ":::::",
	"1:cpu,cpu,:/\n1:,cpu:/a", "0::/..", "0::/../../..", "0:://///", "0::/a/", "0::/a", " - ", "-",
	"- - - -",
	"1 2 3 / / - cgroup2 x rw", "1 2 3 / / rw - cgroup2 x rw", "1 2 3 / / rw - cgroup", "1 2 3 / / rw -",
	"1 2 3 / / rw - cgroup2 x", "1 2 3 4 5 6 7 - cgroup2 x rw", "1 2 3 / /\\0 rw - cgroup2 x rw",
	"1 2 3 / /\\377\\000\\ rw - cgroup2 x rw\\", "1 2 3  /a rw - cgroup x cpu", "TracerPid:",
	"\nTracerPid:",
	"\nTracerPid:\t99999999999999999999999", "\nTracerPid: -4", "container", "container=", "=container=",
	"cpu ", "cpu  1 1 1 1 1 1 1 1", "cpu  18446744073709551615 0 0 0 0 0 0 18446744073709551615",
	"linux,kvm", "1 2 3", "0.00 0.00 0.00 1/2 3", "0.00 0.00 0.00 999999999999999999/1",
	"some avg10=999.99 avg60=0.00 avg300=0.00 total=1", "some avg10=100.99 total=1",
	"some avg10=1.50 total=",
	"nr_periods 999999999999999999\nnr_throttled 999999999999999999\nthrottled_usec 999999999999999999\n"
	"throttled_time 999999999999999999\n",
	"\nvendor_id\t: User Mode Linux\n", "ffffffffffffffffffffffffffffffff",
	long_line, long_lines, long_path,
};

static void test_no_content_of_any_file_does_harm(void **state)
{
	size_t i, j;

	(void)state;
	memset(long_line, '7', sizeof(long_line) - 1);
	for (i = 0; i < sizeof(long_lines) - 1; i++)
		long_lines[i] = i % 2 ? '\n' : ':';
	strcpy(long_path, "0::/");
	for (i = 4; i < sizeof(long_path) - 1; i++)
		long_path[i] = i % 2 ? '/' : 'a';
	for (i = 0; i < sizeof(read_paths) / sizeof(read_paths[0]); i++) {
		struct fake fake;

		for (j = 0; j <= sizeof(strange) / sizeof(strange[0]); j++) {
			guest_init(&fake);
			fake.x86 = j % 2;
			add_file(&fake, "/proc/self/cgroup", "1:cpu:/a\n0::/a\n");
			add_file(&fake, "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "400000\n");
			add_file(&fake, "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
			add_file(&fake, "/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
			if (j < sizeof(strange) / sizeof(strange[0]))
				add_file(&fake, read_paths[i], strange[j]);
			else
				add_bytes(&fake, read_paths[i], binary, sizeof(binary));
			assert_sane(&fake);
		}
	}
}

static void test_a_quota_that_makes_no_sense_is_no_limit(void **state)
{
	static const char *const contents[] = { "",	  "max",	  "0 100000",	 "100000 0",   "-1 100000",
						"100000", "100000 -1000", "1e5 100000", "100000x 100000",
						"99999999999999999999 100000", "100000 99999999999999999999" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		struct fake fake;

		v2_init(&fake, "0::/a\n");
		add_file(&fake, "/sys/fs/cgroup/a/cpu.max", contents[i]);
		assert_cpus(&fake, 0, 8);
	}
}

static void test_the_smallest_quota_leaves_a_hundredth_of_a_cpu(void **state)
{
	struct gsync_cpus cpus;
	struct fake fake;

	(void)state;
	v2_init(&fake, "0::/a\n");
	add_file(&fake, "/sys/fs/cgroup/a/cpu.max", "1 999999999999999999");
	gsync_cpus_read(&fake.source, &cpus);
	assert_float_equal(cpus.usable, 0.01, 1e-9);
}

static void test_an_unknown_machine_has_no_more_cpus_than_one_whatever_its_quota(void **state)
{
	struct fake fake;

	(void)state;
	v2_init(&fake, "0::/a\n");
	fake.online = 0;
	fake.affinity = 0;
	add_file(&fake, "/sys/fs/cgroup/a/cpu.max", "6400000 100000");
	assert_cpus(&fake, 64, 1);
}

static void test_with_nothing_readable_the_defaults_are_sensible(void **state)
{
	static const int errors[] = { ENOENT, EACCES, EPERM, EIO, ENOTDIR };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct gsync_facts facts;
		struct fake fake;

		fake_init(&fake);
		fake.error = errors[i];
		gsync_facts_read(&fake.source, &facts);
		assert_string_equal(facts.hypervisor.name, "none");
		assert_string_equal(facts.container, "none");
		assert_float_equal(facts.cpus.quota, 0, 0);
		assert_float_equal(facts.cpus.usable, 8, 0);
		assert_true(facts.steal_percent < 0);
	}
}

/* ---- the real machine */

static void test_the_real_machine_is_sane(void **state)
{
	struct gsync_facts facts;

	(void)state;
	errno = 77;
	gsync_facts_read(&gsync_source_machine, &facts);
	assert_int_equal(errno, 77);
	assert_int_equal(facts.cpus.online, sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(facts.cpus.affinity >= 1);
	assert_true(facts.cpus.usable >= 0.01);
	assert_true(facts.cpus.usable <= facts.cpus.online && facts.cpus.usable <= facts.cpus.affinity);
	assert_true(facts.steal_percent <= 100);
	assert_true(facts.hypervisor.name[0] && facts.container[0]);
}

static void test_the_real_affinity_follows_the_mask(void **state)
{
	struct gsync_cpus cpus;
	cpu_set_t before, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	gsync_cpus_read(&gsync_source_machine, &cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(cpus.affinity, 1);
	assert_true(cpus.usable <= 1);
}

static void test_real_files_are_read_within_the_buffer_and_errors_are_told(void **state)
{
	const struct gsync_source *machine = &gsync_source_machine;
	char buffer[8] = "1234567";

	(void)state;
	errno = 77;
	assert_int_equal(machine->read_file(machine->context, "/does/not/exist", buffer, sizeof(buffer)), -ENOENT);
	assert_int_equal(machine->read_file(machine->context, "/", buffer, sizeof(buffer)), -EISDIR);
	assert_int_equal(machine->read_file(machine->context, "/proc/self/stat", buffer, 0), -EINVAL);
	assert_string_equal(buffer, "1234567");
	assert_int_equal(machine->read_file(machine->context, "/proc/self/stat", buffer, 1), 0);
	assert_int_equal(buffer[0], '\0');
	assert_int_equal(machine->read_file(machine->context, "/proc/self/stat", buffer, 5), 4);
	assert_int_equal(buffer[4], '\0');
	assert_int_equal(buffer[5], '6');
	assert_int_equal(machine->read_file(machine->context, "/dev/null", buffer, sizeof(buffer)), 0);
	assert_int_equal(errno, 77);
}

/* open() and read() would unwind the thread out of the lock it is about to take. */
static void *read_while_cancelled(void *reached)
{
	struct gsync_cpus cpus;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cancel(pthread_self());
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	gsync_cpus_read(&gsync_source_machine, &cpus);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	*(bool *)reached = true;
	return NULL;
}

static void test_reading_the_cpus_is_no_cancellation_point(void **state)
{
	bool reached = false;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_while_cancelled, &reached), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(reached);
}

static void *read_cpus(void *out)
{
	gsync_cpus_read(&gsync_source_machine, out);
	return NULL;
}

static void test_reading_the_cpus_fits_the_smallest_stack(void **state)
{
	struct gsync_cpus cpus = { 0, 0, 0, 0 };

	(void)state;
	test_on_the_smallest_stack(read_cpus, &cpus);
	assert_true(cpus.usable >= 0.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_signature_has_its_name),
		cmocka_unit_test(test_all_twelve_bytes_count),
		cmocka_unit_test(test_kvm_shows_its_features_and_hints),
		cmocka_unit_test(test_old_kvm_says_max_leaf_0_and_still_has_features),
		cmocka_unit_test(test_kvm_without_a_feature_leaf_has_no_features),
		cmocka_unit_test(test_who_stands_behind_hyperv_is_preferred),
		cmocka_unit_test(test_kvm_behind_hyperv_has_its_features_at_its_own_base),
		cmocka_unit_test(test_hyperv_leaves_of_kvm_are_not_its_features),
		cmocka_unit_test(test_the_last_leaf_of_the_scan_is_seen_and_the_next_is_not),
		cmocka_unit_test(test_more_layers_than_there_is_room_for_do_no_harm),
		cmocka_unit_test(test_one_signature_at_every_leaf_is_one_layer),
		cmocka_unit_test(test_without_the_hypervisor_bit_signatures_are_not_trusted),
		cmocka_unit_test(test_an_unknown_signature_is_an_unknown_vm_and_is_shown),
		cmocka_unit_test(test_all_zero_signature_is_qemu_only_where_dmi_says_so),
		cmocka_unit_test(test_an_emulated_cpu_is_a_layer_and_a_name_of_last_resort),
		cmocka_unit_test(test_confidential_guests_are_recognised),
		cmocka_unit_test(test_virtualbox_and_parallels_show_in_dmi_behind_kvms_interface),
		cmocka_unit_test(test_dmi_does_not_overrule_a_signature_nobody_imitates),
		cmocka_unit_test(test_hyperv_alone_yields_to_dmi),
		cmocka_unit_test(test_dmi_decides_where_cpuid_shows_nothing),
		cmocka_unit_test(test_makers_of_real_machines_are_no_proof_on_x86_without_the_bit),
		cmocka_unit_test(test_oracle_sells_real_machines_without_cpuid_too),
		cmocka_unit_test(test_xen_shows_in_sysfs_where_cpuid_is_hidden),
		cmocka_unit_test(test_the_firmwares_bit_makes_an_unknown_vm),
		cmocka_unit_test(test_without_cpuid_nothing_is_asked_of_it),
		cmocka_unit_test(test_without_cpuid_the_device_tree_tells),
		cmocka_unit_test(test_without_cpuid_metal_in_the_product_name_is_no_vm),
		cmocka_unit_test(test_every_container_manager_is_named),
		cmocka_unit_test(test_containers_show_by_marks),
		cmocka_unit_test(test_openvz_is_vz_without_bc),
		cmocka_unit_test(test_wsl_shows_in_the_kernel_release),
		cmocka_unit_test(test_proot_is_recognised_by_its_tracer),
		cmocka_unit_test(test_the_variable_is_found_among_others),
		cmocka_unit_test(test_a_manager_we_do_not_know_is_still_a_container),
		cmocka_unit_test(test_oci_alone_says_too_little),
		cmocka_unit_test(test_earlier_evidence_of_a_container_wins),
		cmocka_unit_test(test_a_cgroup_namespace_is_some_container),
		cmocka_unit_test(test_usable_is_the_smallest_of_what_is_known),
		cmocka_unit_test(test_v2_quota_of_the_own_group),
		cmocka_unit_test(test_v2_every_parent_throttles),
		cmocka_unit_test(test_v2_groups_beside_and_above_the_mount_do_not_count),
		cmocka_unit_test(test_v1_quota_of_the_own_group),
		cmocka_unit_test(test_v1_every_parent_throttles),
		cmocka_unit_test(test_hybrid_takes_the_tree_that_has_the_controller),
		cmocka_unit_test(test_what_the_mount_hides_is_stripped_from_the_path),
		cmocka_unit_test(test_a_path_outside_the_mount_means_the_mount_point),
		cmocka_unit_test(test_a_path_that_climbs_out_of_the_namespace_means_the_mount_point),
		cmocka_unit_test(test_a_group_may_have_dots_in_its_name),
		cmocka_unit_test(test_a_group_that_is_not_there_means_the_mount_point),
		cmocka_unit_test(test_of_several_mounts_the_one_on_top_that_shows_the_group),
		cmocka_unit_test(test_blanks_in_a_mount_point_are_unescaped),
		cmocka_unit_test(test_without_mountinfo_the_customary_places_serve),
		cmocka_unit_test(test_mounts_beyond_what_is_read_are_replaced_by_the_customary_place),
		cmocka_unit_test(test_a_mount_line_cut_in_half_is_not_believed),
		cmocka_unit_test(test_of_a_path_too_long_the_parents_still_count),
		cmocka_unit_test(test_no_content_of_any_file_does_harm),
		cmocka_unit_test(test_a_quota_that_makes_no_sense_is_no_limit),
		cmocka_unit_test(test_the_smallest_quota_leaves_a_hundredth_of_a_cpu),
		cmocka_unit_test(test_an_unknown_machine_has_no_more_cpus_than_one_whatever_its_quota),
		cmocka_unit_test(test_with_nothing_readable_the_defaults_are_sensible),
		cmocka_unit_test(test_the_real_machine_is_sane),
		cmocka_unit_test(test_the_real_affinity_follows_the_mask),
		cmocka_unit_test(test_real_files_are_read_within_the_buffer_and_errors_are_told),
		cmocka_unit_test(test_reading_the_cpus_is_no_cancellation_point),
		cmocka_unit_test(test_reading_the_cpus_fits_the_smallest_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
