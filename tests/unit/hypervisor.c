/* SPDX-License-Identifier: MIT */
/*
 * What a hypervisor tells about itself beyond its name: its role for us, its
 * version, what it promises and advises; and kernels that hide what they are.
 */
#include "tests/unit/fake_machine.h"

#include "detect/profile.h"

#define HV1 0x31237648
#define CREATE_PARTITIONS (1u << 0)
#define CPU_MANAGEMENT (1u << 12)
#define ISOLATION (1u << 22)
#define NESTED (1u << 12)
#define NO_CORE_SHARING (1u << 18)
#define DOM0 "800"

static struct gsync_hypervisor read_hypervisor(struct fake *fake)
{
	struct gsync_hypervisor hypervisor;

	memset(&hypervisor, 0xa5, sizeof(hypervisor));
	gsync_hypervisor_read(&fake->source, &hypervisor);
	return hypervisor;
}

static void assert_role(struct fake *fake, const char *name, const char *role)
{
	struct gsync_hypervisor hypervisor = read_hypervisor(fake);

	assert_string_equal(hypervisor.name, name);
	assert_string_equal(hypervisor.role, role);
}

/* A guest of Hyper-V, with what leaves 3 and 4 say. */
static void hyperv_init(struct fake *fake, uint32_t privileges, uint32_t advice, uint32_t retries)
{
	guest_init(fake);
	add_signature(fake, 0x40000000, 0x4000000b, "Microsoft Hv");
	add_leaf(fake, 0x40000001, HV1, 0, 0, 0);
	add_leaf(fake, 0x40000003, 0, privileges, 0, 0);
	add_leaf(fake, 0x40000004, advice, retries, 0, 0);
}

static void xen_init(struct fake *fake)
{
	guest_init(fake);
	add_signature(fake, 0x40000000, 0x40000005, "XenVMMXenVMM");
	add_leaf(fake, 0x40000001, 4 << 16 | 17, 0, 0, 0);
}

/* ---- without one */

static void test_without_a_hypervisor_there_is_no_role_nor_promise(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	/* An Intel CPU answers a leaf that it does not have with another's data. */
	add_signature(&fake, 0x40000000, 0x40000010, "KVMKVMKVM\0\0\0");
	add_leaf(&fake, 0x40000001, HV1, 0, 0, 0xffffffff);
	add_leaf(&fake, 0x40000003, 0, 0xffffffff, 0, 0);
	add_leaf(&fake, 0x40000004, 0xffffffff, 7, 0, 0);
	add_leaf(&fake, 0x40000010, 1000, 0, 0, 0);
	hypervisor = read_hypervisor(&fake);
	assert_string_equal(hypervisor.name, "none");
	assert_string_equal(hypervisor.role, "");
	assert_string_equal(hypervisor.version, "");
	assert_int_equal(hypervisor.nested, -1);
	assert_false(hypervisor.dedicated);
	assert_false(hypervisor.hyperv.present);
	assert_int_equal(hypervisor.tsc_khz, 0);
}

/* ---- emulators */

static struct gsync_conditions glance(struct fake *fake)
{
	struct gsync_conditions conditions = { .guest = true, .dedicated = true, .emulated = true };

	gsync_hypervisor_glance(&fake->source, &conditions);
	return conditions;
}

static void test_a_glance_tells_an_emulator_from_other_hosts(void **state)
{
	static const struct {
		const char *signature;
		bool emulated;
	} cases[] = { { "TCGTCGTCGTCG", true }, { "KVMKVMKVM\0\0\0", false }, { "Microsoft Hv", false } };
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		guest_init(&fake);
		add_signature(&fake, 0x40000000, 0x40000001, cases[i].signature);
		assert_true(glance(&fake).guest);
		assert_false(glance(&fake).dedicated);
		assert_int_equal(glance(&fake).emulated, cases[i].emulated);
	}
	fake_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000001, "TCGTCGTCGTCG");
	assert_false(glance(&fake).guest);
	assert_false(glance(&fake).emulated);
}

/* ---- KVM */

static void test_kvm_promises_dedicated_cpus_by_its_hint_only(void **state)
{
	static const uint32_t hints[] = { 0, 1, 2, 0xfffffffe, 0xffffffff };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		struct fake fake;

		guest_init(&fake);
		add_signature(&fake, 0x40000000, 0x40000001, "KVMKVMKVM\0\0\0");
		add_leaf(&fake, 0x40000001, 0xffffffff, 0, 0, hints[i]);
		assert_int_equal(read_hypervisor(&fake).dedicated, hints[i] & 1);
		assert_role(&fake, "kvm", "guest");
		/* VirtualBox wears KVM's interface, and promises nothing by it. */
		add_file(&fake, "/sys/class/dmi/id/product_name", "VirtualBox\n");
		assert_false(read_hypervisor(&fake).dedicated);
		assert_role(&fake, "oracle", "guest");
	}
}

static void test_another_hypervisors_leaf_is_no_promise_of_kvm(void **state)
{
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000010, "bhyve bhyve ");
	add_leaf(&fake, 0x40000001, 0xffffffff, 0, 0, 0xffffffff);
	add_leaf(&fake, 0x40000010, 1000, 0, 0, 0);
	assert_false(read_hypervisor(&fake).dedicated);
	assert_string_equal(read_hypervisor(&fake).version, "");
	assert_int_equal(read_hypervisor(&fake).tsc_khz, 0);
}

/* ---- Hyper-V */

static void test_hyperv_advises_when_to_give_up_spinning(void **state)
{
	static const uint32_t retries[] = { 0, 0xfff, GSYNC_SPIN_RETRIES_NEVER };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(retries) / sizeof(retries[0]); i++) {
		struct gsync_hypervisor hypervisor;
		struct fake fake;

		hyperv_init(&fake, 0, i == 1 ? NO_CORE_SHARING : ~NO_CORE_SHARING, retries[i]);
		hypervisor = read_hypervisor(&fake);
		assert_true(hypervisor.hyperv.present);
		assert_int_equal(hypervisor.hyperv.spin_retries, retries[i]);
		assert_int_equal(hypervisor.hyperv.no_core_sharing, i == 1);
	}
}

static void test_hypervs_leaves_mean_nothing_without_its_interface(void **state)
{
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	hyperv_init(&fake, CREATE_PARTITIONS | CPU_MANAGEMENT, NESTED, 7);
	add_leaf(&fake, 0x40000001, HV1 + 1, 0, 0, 0);
	hypervisor = read_hypervisor(&fake);
	assert_false(hypervisor.hyperv.present);
	assert_int_equal(hypervisor.nested, -1);
	assert_string_equal(hypervisor.role, "guest");
	/* … nor where there are not that many leaves. */
	hyperv_init(&fake, CREATE_PARTITIONS | CPU_MANAGEMENT, NESTED, 7);
	add_signature(&fake, 0x40000000, 0x40000003, "Microsoft Hv");
	assert_false(read_hypervisor(&fake).hyperv.present);
	assert_string_equal(read_hypervisor(&fake).role, "guest");
}

static void test_hyperv_knows_whether_it_is_nested(void **state)
{
	struct fake fake;

	(void)state;
	hyperv_init(&fake, 0, NESTED, 0);
	assert_int_equal(read_hypervisor(&fake).nested, 1);
	hyperv_init(&fake, 0, ~NESTED, 0);
	assert_int_equal(read_hypervisor(&fake).nested, 0);
	/* KVM behind the interface does not know the bit, so that it is clear says nothing. */
	add_signature(&fake, 0x40000100, 0x40000101, "KVMKVMKVM\0\0\0");
	assert_int_equal(read_hypervisor(&fake).nested, -1);
	assert_true(read_hypervisor(&fake).hyperv.present);
}

static void test_a_root_partition_may_do_both_and_is_not_shielded(void **state)
{
	static const struct {
		uint32_t privileges;
		const char *role;
	} cases[] = {
		{ CREATE_PARTITIONS | CPU_MANAGEMENT, "root" },
		{ CREATE_PARTITIONS, "guest" },
		{ CPU_MANAGEMENT, "guest" },
		{ CREATE_PARTITIONS | CPU_MANAGEMENT | ISOLATION, "guest" },
		{ ~(CREATE_PARTITIONS | CPU_MANAGEMENT), "guest" },
	};
	struct fake fake;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		hyperv_init(&fake, cases[i].privileges, 0, 0);
		assert_role(&fake, "microsoft", cases[i].role);
	}
	/* Who only wears the interface has no root partition. */
	hyperv_init(&fake, CREATE_PARTITIONS | CPU_MANAGEMENT, 0, 0);
	add_signature(&fake, 0x40000100, 0x40000101, "KVMKVMKVM\0\0\0");
	assert_role(&fake, "kvm", "guest");
}

/* Its DMI is the real machine's: Oracle's hardware is not VirtualBox. */
static void test_in_a_root_partition_the_firmware_has_no_say(void **state)
{
	struct fake fake;

	(void)state;
	hyperv_init(&fake, 0, 0, 0);
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "Oracle Corporation\n");
	assert_role(&fake, "oracle", "guest");
	hyperv_init(&fake, CREATE_PARTITIONS | CPU_MANAGEMENT, 0, 0);
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "Oracle Corporation\n");
	assert_role(&fake, "microsoft", "root");
}

static void test_what_only_wears_hypervs_interface_is_not_known_to_be_unnested(void **state)
{
	struct fake fake;

	(void)state;
	hyperv_init(&fake, 0, 0, 0);
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "innotek GmbH\n");
	assert_role(&fake, "oracle", "guest");
	assert_int_equal(read_hypervisor(&fake).nested, -1);
}

/* ---- Xen */

static void test_xen_tells_its_version(void **state)
{
	struct fake fake;

	(void)state;
	xen_init(&fake);
	assert_string_equal(read_hypervisor(&fake).version, "4.17");
	/* Behind Hyper-V's interface, at its own base. */
	hyperv_init(&fake, 0, 0, 0);
	add_signature(&fake, 0x40000100, 0x40000105, "XenVMMXenVMM");
	add_leaf(&fake, 0x40000101, 0xffffffff, 0, 0, 0);
	assert_string_equal(read_hypervisor(&fake).version, "65535.65535");
	/* No such leaf. */
	xen_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000000, "XenVMMXenVMM");
	assert_string_equal(read_hypervisor(&fake).version, "");
}

static void test_dom0_shows_in_xens_features_else_in_its_capabilities(void **state)
{
	static const struct {
		const char *features, *capabilities;
		const char *role;
	} cases[] = {
		{ NULL, NULL, "guest" },
		{ DOM0 "\n", NULL, "dom0" },
		{ "00000000" DOM0, NULL, "dom0" },
		{ "ffffffffffffffff\n", NULL, "dom0" },
		{ "fffff7ff\n", NULL, "guest" },
		{ "2705\n", "control_d\n", "guest" },
		{ "\n", NULL, "guest" },
		{ "x" DOM0, NULL, "guest" },
		{ NULL, "control_d\n", "dom0" },
		{ NULL, "", "guest" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake fake;

		xen_init(&fake);
		if (cases[i].features)
			add_file(&fake, "/sys/hypervisor/properties/features", cases[i].features);
		if (cases[i].capabilities)
			add_file(&fake, "/proc/xen/capabilities", cases[i].capabilities);
		assert_role(&fake, "xen", cases[i].role);
	}
}

/* A paravirtual dom0 sees the CPU's own leaves. */
static void test_dom0_is_recognised_where_cpuid_shows_nothing(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/xen/capabilities", "control_d\n");
	assert_role(&fake, "xen", "dom0");
	assert_string_equal(read_hypervisor(&fake).version, "");
	fake_init(&fake);
	fake.x86 = false;
	add_file(&fake, "/proc/device-tree/hypervisor/compatible", "xen,xen-4.17");
	add_file(&fake, "/sys/hypervisor/properties/features", DOM0 "\n");
	assert_role(&fake, "xen", "dom0");
}

static void test_only_xen_has_a_dom0(void **state)
{
	struct fake fake;

	(void)state;
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000001, "KVMKVMKVM\0\0\0");
	add_file(&fake, "/sys/hypervisor/properties/features", DOM0 "\n");
	assert_role(&fake, "kvm", "guest");
}

/* ---- VMware, ACRN */

static void test_vmware_and_acrn_tell_the_tscs_frequency(void **state)
{
	static const char *const signatures[] = { "VMwareVMware", "ACRNACRNACRN" };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct fake fake;

		guest_init(&fake);
		add_signature(&fake, 0x40000000, 0x40000010, signatures[i]);
		add_leaf(&fake, 0x40000010, 2593906, 0, 0, 0);
		assert_int_equal(read_hypervisor(&fake).tsc_khz, 2593906);
		add_signature(&fake, 0x40000000, 0x4000000f, signatures[i]);
		assert_int_equal(read_hypervisor(&fake).tsc_khz, 0);
	}
}

/* ---- kernels and machines that CPUID does not show */

static void test_user_mode_linux_comes_before_what_its_host_shows(void **state)
{
	static const char cpuinfo[] = "processor\t: 0\nvendor_id\t: User Mode Linux\nmodel name\t: UML\n";
	struct gsync_hypervisor hypervisor;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n");
	assert_role(&fake, "none", "");
	add_file(&fake, "/proc/cpuinfo", cpuinfo);
	assert_role(&fake, "uml", "guest");
	guest_init(&fake);
	add_signature(&fake, 0x40000000, 0x40000001, "KVMKVMKVM\0\0\0");
	add_leaf(&fake, 0x40000001, 0, 0, 0, 1);
	add_file(&fake, "/proc/cpuinfo", cpuinfo);
	hypervisor = read_hypervisor(&fake);
	assert_string_equal(hypervisor.name, "uml");
	assert_int_equal(hypervisor.layer_count, 2);
	assert_string_equal(hypervisor.layers[0], "kvm");
	assert_string_equal(hypervisor.layers[1], "uml");
	assert_false(hypervisor.dedicated); /* promised to the host */
}

static void test_qemus_machine_for_riscv_shows_in_its_device_tree(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake.x86 = false;
	add_file(&fake, "/proc/device-tree/fw-cfg@10100000/compatible", "qemu,fw-cfg-mmio");
	assert_role(&fake, "qemu", "guest");
}

static void test_what_dmi_alone_shows_is_a_guest(void **state)
{
	struct fake fake;

	(void)state;
	/* As under "-cpu …,-hypervisor" and old VMware. */
	fake_init(&fake);
	add_file(&fake, "/sys/class/dmi/id/sys_vendor", "VMware, Inc.\n");
	assert_role(&fake, "vmware", "guest");
	assert_int_equal(read_hypervisor(&fake).tsc_khz, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_hypervisor_there_is_no_role_nor_promise),
		cmocka_unit_test(test_a_glance_tells_an_emulator_from_other_hosts),
		cmocka_unit_test(test_kvm_promises_dedicated_cpus_by_its_hint_only),
		cmocka_unit_test(test_another_hypervisors_leaf_is_no_promise_of_kvm),
		cmocka_unit_test(test_hyperv_advises_when_to_give_up_spinning),
		cmocka_unit_test(test_hypervs_leaves_mean_nothing_without_its_interface),
		cmocka_unit_test(test_hyperv_knows_whether_it_is_nested),
		cmocka_unit_test(test_a_root_partition_may_do_both_and_is_not_shielded),
		cmocka_unit_test(test_in_a_root_partition_the_firmware_has_no_say),
		cmocka_unit_test(test_what_only_wears_hypervs_interface_is_not_known_to_be_unnested),
		cmocka_unit_test(test_xen_tells_its_version),
		cmocka_unit_test(test_dom0_shows_in_xens_features_else_in_its_capabilities),
		cmocka_unit_test(test_dom0_is_recognised_where_cpuid_shows_nothing),
		cmocka_unit_test(test_only_xen_has_a_dom0),
		cmocka_unit_test(test_vmware_and_acrn_tell_the_tscs_frequency),
		cmocka_unit_test(test_user_mode_linux_comes_before_what_its_host_shows),
		cmocka_unit_test(test_qemus_machine_for_riscv_shows_in_its_device_tree),
		cmocka_unit_test(test_what_dmi_alone_shows_is_a_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
