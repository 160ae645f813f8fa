package queue

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkBatches hands 10 KB messages to a server that throws them away, as
// batches of 50 and to single recipients. One operation is one message.
func BenchmarkBatches(b *testing.B) {
	for _, each := range []int{50, 1} {
		b.Run(fmt.Sprintf("recipients=%d", each), func(b *testing.B) {
			f := newFar(b)
			f.quiet = true
			w := newWorld(b, Config{Route: smarthost(b, f.addr)})
			body := strings.Repeat(strings.Repeat("x", 98)+"\r\n", 100)
			none := func(*sql.Tx, []string) error { return nil }
			for i := range b.N {
				w.insert(body, w.q.Lane, none, recipients(fmt.Sprintf("m%d-", i), each)...)
			}
			b.ResetTimer()
			w.run()
			for w.count(`status IN ('queued', 'in_data')`) != 0 {
				time.Sleep(20 * time.Millisecond)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(float64(b.N*each)/b.Elapsed().Seconds(), "recipients/s")
		})
	}
}
