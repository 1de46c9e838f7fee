# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The guests that tests/guest/record records and tests/guest/compare shows to other detectors: each is a name and the
# options that tests/guest/boot makes it of. To be sourced; then for_each_variant COMMAND calls COMMAND NAME OPTION…

v1='mount -t tmpfs none /sys/fs/cgroup && mkdir /sys/fs/cgroup/cpu && mount -t cgroup -o cpu none /sys/fs/cgroup/cpu'
v2='mount -t cgroup2 none /sys/fs/cgroup && echo +cpu >/sys/fs/cgroup/cgroup.subtree_control'
group=/sys/fs/cgroup/cpu/outer
nested=/sys/fs/cgroup/outer/inner

for_each_variant() {
	"$@" qemu-max --cpus 8
	"$@" qemu-one-cpu --cpus 1
	"$@" qemu-qemu64 --cpu qemu64
	"$@" qemu-skylake --cpu Skylake-Client
	"$@" qemu-epyc --cpu EPYC
	"$@" qemu-without-bit --cpu max,-hypervisor
	"$@" qemu-without-signature --cpu max,tcg-cpuid=off
	"$@" qemu-kvm-off --cpu max,kvm=off
	"$@" qemu-hyperv-asked --cpu max,hv-relaxed,hv-vapic,hv-spinlocks=0x1fff
	"$@" qemu-hidden --cpu max,-hypervisor,tcg-cpuid=off --qemu -smbios \
		--qemu 'type=0,vendor=Dell Inc.,version=2.1' --qemu -smbios \
		--qemu 'type=1,manufacturer=Dell Inc.,product=PowerEdge R650,version=1'
	"$@" qemu-hidden-altogether --cpu max,-hypervisor,tcg-cpuid=off --qemu -smbios \
		--qemu 'type=0,vendor=Dell Inc.,version=2.1' --qemu -smbios --qemu 'type=3,manufacturer=Dell Inc.' \
		--qemu -smbios --qemu 'type=1,manufacturer=Dell Inc.,product=PowerEdge R650,version=1'
	"$@" qemu-called-virtualbox --cpu max,tcg-cpuid=off --qemu -smbios --qemu 'type=0,vendor=innotek GmbH' \
		--qemu -smbios --qemu 'type=1,manufacturer=innotek GmbH,product=VirtualBox,version=1.2'
	"$@" qemu-called-ec2 --cpu max,tcg-cpuid=off --qemu -smbios --qemu 'type=0,vendor=Amazon EC2' \
		--qemu -smbios --qemu 'type=1,manufacturer=Amazon EC2,product=t3.micro,version='
	"$@" qemu-called-xen --cpu max,tcg-cpuid=off --qemu -smbios --qemu 'type=0,vendor=Xen' \
		--qemu -smbios --qemu 'type=1,manufacturer=Xen,product=HVM domU,version=4.17.3'
	"$@" qemu-called-hyperv --cpu max,tcg-cpuid=off --qemu -smbios --qemu 'type=0,vendor=Microsoft Corporation' \
		--qemu -smbios \
		--qemu 'type=1,manufacturer=Microsoft Corporation,product=Virtual Machine,version=Hyper-V UEFI Release v4.1'
	"$@" qemu-lxc --append container=lxc
	"$@" qemu-podman --before 'mkdir /run && touch /run/.containerenv'
	"$@" qemu-docker --before 'touch /.dockerenv'
	"$@" qemu-two-nodes --cpus 4 --qemu -object --qemu memory-backend-ram,id=m0,size=512M \
		--qemu -object --qemu memory-backend-ram,id=m1,size=512M \
		--qemu -numa --qemu node,nodeid=0,cpus=0-1,memdev=m0 --qemu -numa --qemu node,nodeid=1,cpus=2-3,memdev=m1
	"$@" qemu-two-packages --cpus 8 --cpu Skylake-Client --qemu -smp --qemu sockets=2,cores=2,threads=2
	"$@" qemu-affinity --cpus 4 --before 'taskset -p 4 $$ >/dev/null'
	"$@" qemu-cgroup-v1 --cpus 4 --before "$v1 && mkdir -p $group/inner" \
		--before "echo 150000 >$group/cpu.cfs_quota_us; echo \$\$ >$group/inner/cgroup.procs"
	"$@" qemu-cgroup-v2 --cpus 4 --before "$v2 && mkdir -p $nested && echo +cpu >${nested%/*}/cgroup.subtree_control" \
		--before "echo 250000 100000 >$nested/cpu.max; echo 25000 50000 >${nested%/*}/cpu.max" \
		--before "echo \$\$ >$nested/cgroup.procs"
}
