package spool

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
)

// healed lets the spool believe that it met damage.
func healed(t *testing.T, s *Spool) {
	t.Helper()
	met := false
	must(t, s.healing(func() error {
		if met {
			return nil
		}
		met = true
		return ErrDamaged
	}))
}

// TestSalvageWhileWorkIsInHand: sessions end as they would have, and messages
// that come in at that moment come in.
func TestSalvageWhileWorkIsInHand(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(150)), []byte("one"))
	returning, losing, answering := begin(t, s, jobID(1), 1, start), begin(t, s, jobID(1), 2, start), begin(t, s, jobID(1), 3, start)
	half, err := s.Create(t.Context(), jobID(2), 0)
	must(t, err)
	body := bytes.Repeat([]byte("x"), 2*inlineMax)
	_, err = half.Write(body[:inlineMax+1])
	must(t, err)
	s.create = func(path string) (bodyFile, error) {
		f, err := durable.Create(path)
		return hookedFile{f, func() { healed(t, s) }}, err
	}
	accept(t, s, jobID(3), envelope("office", recipients(1)), body) // the salvage comes between its file and its row
	_, err = half.Write(body[inlineMax+1:])
	must(t, err)
	must(t, half.Commit(t.Context(), envelope("office", recipients(1))))
	for _, id := range []mail.JobID{jobID(2), jobID(3)} {
		if !bytes.Equal(readBody(t, s, id), body) {
			t.Errorf("message %s is damaged", id)
		}
	}
	must(t, s.Return(t.Context(), Ended{Attempt: returning, At: start}, time.Time{}))
	must(t, s.Unknown(t.Context(), Ended{Attempt: losing, LeftAt: start, At: start}))
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: answering, At: start, Outcomes: answers(recipients(150)[100:], mail.StatusAccepted, mail.Reply{})}))
	if c := getJob(t, s, jobID(1)).Counts; c.Accepted != 50 || c.Queued != 100 {
		t.Errorf("counts %+v", c)
	}
	checkRows(t, s)
	list, err := s.Damages()
	must(t, err)
	if len(list) != 1 || list[0].Files != 0 || len(list[0].Lost) != 0 {
		t.Errorf("reports %+v", list)
	}
}

// TestManyMeetDamageAtOnce: one salvage serves all who met the damage, and
// everybody's change is made.
func TestManyMeetDamageAtOnce(t *testing.T) {
	dir := closedSpool(t)
	s, p := openHearing(t, dir)
	s.background.Wait()
	breakRoot(t, dir)
	var group sync.WaitGroup
	for n := 10; n < 40; n++ {
		group.Go(func() {
			if err := put(t.Context(), s, jobID(n), envelope("office", recipients(1)), []byte("x")); err != nil {
				t.Errorf("accept %d: %v", n, err)
			}
			if _, err := s.Job(t.Context(), jobID(n)); err != nil {
				t.Errorf("read %d: %v", n, err)
			}
		})
	}
	healed(t, s)
	group.Wait()
	if len(p.all()) != 1 {
		t.Errorf("problems %v", p.all())
	}
	for n := 10; n < 40; n++ {
		getJob(t, s, jobID(n))
	}
	checkRows(t, s)
	totals, err := s.Totals(t.Context(), start)
	must(t, err)
	if totals.Lanes[0].Messages != 32 {
		t.Errorf("totals %+v", totals)
	}
}
