package spool

import (
	"bytes"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// remoteMagic are the file systems whose other side may be another machine
// (statfs(2)). SQLite's log needs memory shared between processes and locks
// that hold, which they do not give. 9P is how WSL shows the disks of Windows.
var remoteMagic = map[uint32]string{
	unix.NFS_SUPER_MAGIC:  "nfs",
	unix.SMB_SUPER_MAGIC:  "smb",
	unix.SMB2_SUPER_MAGIC: "smb",
	unix.CIFS_SUPER_MAGIC: "smb",
	unix.AFS_SUPER_MAGIC:  "afs",
	unix.AFS_FS_MAGIC:     "afs",
	unix.CODA_SUPER_MAGIC: "coda",
	unix.CEPH_SUPER_MAGIC: "ceph",
	unix.V9FS_MAGIC:       "9p",
	0x0bd00bd0:            "lustre",
}

// remoteFUSE are the programs behind a FUSE mount that reach over the network;
// FUSE serves local disks too (ntfs-3g, encrypted folders).
var remoteFUSE = []string{
	"fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.goofys", "fuse.gcsfuse", "fuse.juicefs", "fuse.glusterfs", "fuse.ceph-fuse",
	"fuse.curlftpfs", "fuse.smbnetfs", "fuse.gvfsd-fuse", "fuse.davfs2", "fuse.google-drive-ocamlfuse", "fuse.onedriver",
}

// networkFS names the network file system that holds dir, or returns "".
func networkFS(dir string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return "", fmt.Errorf("ask for file system: %w", err)
	}
	magic := uint32(fs.Type)
	if magic != unix.FUSE_SUPER_MAGIC {
		return remoteMagic[magic], nil
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return "", fmt.Errorf("ask for device: %w", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("read mounts: %w", err)
	}
	kind := mountKind(mounts, fmt.Sprintf("%d:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))) //nolint:unconvert // Dev is narrower on other processors
	if slices.Contains(remoteFUSE, kind) {
		return kind, nil
	}
	return "", nil
}

// mountKind finds the type of the file system on a device in the text of
// /proc/self/mountinfo (proc_pid_mountinfo(5)): the third field is the device,
// the one after "-" the type.
func mountKind(mounts []byte, device string) string {
	for line := range bytes.Lines(mounts) {
		fields := bytes.Fields(line)
		if len(fields) < 3 || string(fields[2]) != device {
			continue
		}
		for i, f := range fields {
			if string(f) == "-" && i+1 < len(fields) {
				return string(fields[i+1])
			}
		}
	}
	return ""
}
