//go:build unix

package spool

import (
	"fmt"

	"golang.org/x/sys/unix"

	"servicesmtp.net/companion/app/mail"
)

// Free is the room that is left on the spool's disk for this user.
func (s *Spool) Free() (mail.ByteSize, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return 0, fmt.Errorf("ask for the free space: %w", err)
	}
	return mail.ByteSize(fs.Bavail) * mail.ByteSize(fs.Bsize), nil
}
