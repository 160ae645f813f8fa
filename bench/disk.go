package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// disk measures how many files of a size can be written and synced in a second
// by so many writers at once: what a server that keeps each message in a file
// of its own cannot pass here, whatever it does.
func disk(dir string, l load) (perSecond float64, err error) {
	dir = filepath.Join(dir, "disk")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	data := make([]byte, l.size)
	count := min(l.count, 500)
	var next atomic.Int64
	var writers sync.WaitGroup
	errs := make([]error, l.conns)
	began := time.Now()
	for w := range l.conns {
		writers.Go(func() {
			for n := next.Add(1); n <= int64(count) && errs[w] == nil; n = next.Add(1) {
				errs[w] = writeSynced(filepath.Join(dir, strconv.FormatInt(n, 10)), data)
			}
		})
	}
	writers.Wait()
	return float64(count) / time.Since(began).Seconds(), errors.Join(errs...)
}

func writeSynced(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
