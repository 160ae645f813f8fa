package spool

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// networkFS names the file system that holds dir where it is not a local one,
// or returns "".
func networkFS(dir string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return "", fmt.Errorf("ask for file system: %w", err)
	}
	if fs.Flags&unix.MNT_LOCAL != 0 {
		return "", nil
	}
	return unix.ByteSliceToString(fs.Fstypename[:]), nil
}
