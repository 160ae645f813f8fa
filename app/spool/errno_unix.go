//go:build unix

package spool

import "syscall"

var (
	diskFull = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT}
	readOnly = []syscall.Errno{syscall.EROFS}
)
