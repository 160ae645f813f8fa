package spool

import (
	"fmt"

	"golang.org/x/sys/windows"

	"servicesmtp.net/companion/app/mail"
)

// Free is the room that is left on the spool's disk for this user.
func (s *Spool) Free() (mail.ByteSize, error) {
	dir, err := windows.UTF16PtrFromString(s.dir)
	if err != nil {
		return 0, fmt.Errorf("name the folder: %w", err)
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(dir, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("ask for the free space: %w", err)
	}
	return mail.ByteSize(free), nil
}
