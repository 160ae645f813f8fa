package spool

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFileSystems(t *testing.T) {
	for _, magic := range []uint32{unix.NFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC} {
		if remoteMagic[magic] == "" {
			t.Errorf("%#x is not refused", magic)
		}
	}
	for _, magic := range []uint32{unix.EXT4_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC} {
		if kind := remoteMagic[magic]; kind != "" {
			t.Errorf("%#x is refused as %s", magic, kind)
		}
	}
	if kind, err := networkFS(t.TempDir()); kind != "" || err != nil {
		t.Errorf("a local folder: %q %v", kind, err)
	}
	if _, err := networkFS("/does/not/exist"); err == nil {
		t.Error("a folder that is not there")
	}
}

func TestMountKind(t *testing.T) {
	mounts := []byte(`25 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
90 25 0:45 / /home/a/remote rw,nosuid,nodev,relatime shared:50 - fuse.sshfs a@host: rw,user_id=1000
91 25 0:46 / /media/usb rw master:1 shared:2 - fuseblk /dev/sdb1 rw
garbage
`)
	for device, want := range map[string]string{"0:45": "fuse.sshfs", "0:46": "fuseblk", "8:2": "ext4", "9:9": ""} {
		if got := mountKind(mounts, device); got != want {
			t.Errorf("%s: got %q, want %q", device, got, want)
		}
	}
	if !slices.Contains(remoteFUSE, "fuse.sshfs") || slices.Contains(remoteFUSE, "fuseblk") {
		t.Error("table of remote file systems")
	}
}
