package durable

// SyncDir does nothing: NTFS writes names through its own journal, and Windows
// offers no sync of a folder.
func SyncDir(string) error { return nil }
