package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// form is a way to write MAIL or RCPT, and what it means.
type form struct {
	path, wire, ours string // what refuses it: go-smtp at the path, go-smtp at the parameters, the session
	address          string
}

var mailForms = map[string]form{
	"FROM:<a@example.com>":                                   {address: "a@example.com"},
	"from:<a@example.com> SIZE=100 BODY=8BITMIME":            {address: "a@example.com"},
	"FROM: <a@example.com>":                                  {address: "a@example.com"},
	"FROM:a@example.com":                                     {address: "a@example.com"},
	"FROM:<>":                                                {},
	"FROM:<evil@example.com>":                                {address: "evil@example.com"},
	"FROM:<\"a b\"@example.com> RET=FULL ENVID=QQ314159":     {address: `"a b"@example.com`},
	"FROM:<@relay.example:a@example.com>":                    {address: "a@example.com"},
	"FROM:<jürgen@bücher.example> SMTPUTF8":                  {address: "jürgen@bücher.example"},
	"FROM:<jürgen@example.com>":                              {ours: "553 5.6.7"},
	"FROM:<a@-example.com>":                                  {ours: "553 5.1.7"},
	"FROM:<a@example.com> SIZE=2001":                         {wire: "552 5.3.4"},
	"FROM:<a@example.com> SIZE=x":                            {wire: "501"},
	"FROM:<a@example.com> BODY=BINARYMIME":                   {wire: "504"},
	"FROM:<a@example.com> FOO=BAR":                           {wire: "500"},
	"FROM:<a>":                                               {wire: "501"},
	"TO:<a@example.com>":                                     {wire: "501"},
	"":                                                       {wire: "501"},
	"FROM:<a@example.com> ENVID=" + strings.Repeat("x", 101): {ours: "501 5.5.4"},
}

var rcptForms = map[string]form{
	"TO:<b@example.com>":                          {address: "b@example.com"},
	"to:<c@example.com> NOTIFY=SUCCESS,FAILURE":   {address: "c@example.com"},
	"TO:d@example.com":                            {address: "d@example.com"},
	"TO:<e@[192.0.2.1]> ORCPT=rfc822;e@x.example": {address: "e@[192.0.2.1]"},
	"TO:<@relay.example:f@example.com>":           {address: "f@example.com"},
	"TO:<nobody>":                                 {path: "501"},
	"TO:":                                         {path: "501"},
	"FROM:<b@example.com>":                        {path: "501"},
	"TO:<b@example.com> NOTIFY=NEVER,DELAY":       {wire: "501"},
	"TO:<b@example.com> FOO":                      {wire: "500"},
	"TO:<a@b@example.com>":                        {ours: "553 5.1.3"},
	"TO:<b@exa..mple>":                            {ours: "553 5.1.3"},
}

// writer makes a dialogue.
type writer struct {
	*rand.Rand
	bytes.Buffer
	mails, rcpts []string
}

func newWriter(seed uint64) *writer {
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 2525))}
	for k := range mailForms {
		w.mails = append(w.mails, k)
	}
	for k := range rcptForms {
		w.rcpts = append(w.rcpts, k)
	}
	slices.Sort(w.mails) // a seed means the same each time
	slices.Sort(w.rcpts)
	return w
}

func pick(w *writer, of ...string) string { return of[w.IntN(len(of))] }

// dialogue is EHLO, most of the time, and up to thirty steps.
func (w *writer) dialogue() []byte {
	if w.IntN(10) > 0 {
		w.WriteString("EHLO client\r\n")
	}
	if w.IntN(3) == 0 {
		w.auth()
	}
	for range 1 + w.IntN(30) {
		switch n := w.IntN(20); {
		case n < 8:
			w.transaction()
		case n < 12:
			w.WriteString(w.line() + pick(w, "\r\n", "\r\n", "\r\n", "\n", "\r\r\n"))
		case n < 14:
			w.chunk(pick(w, " LAST", "", " last"))
		case n < 16:
			w.auth()
		case n == 16:
			w.nonsense()
		default:
			w.WriteString(pick(w, "NOOP", "RSET", "VRFY x", "EXPN x", "HELP", "noop x", "rset") + "\r\n")
		}
	}
	if w.IntN(2) == 0 {
		w.WriteString("QUIT\r\n")
	}
	return w.Bytes()
}

func (w *writer) line() string {
	switch w.IntN(6) {
	case 0:
		return "DATA"
	case 1:
		return pick(w, "EHLO again", "HELO again", "EHLO", "LHLO x", "STARTTLS", "DATA x", "SEND x", "TURN")
	case 2, 3:
		return "MAIL " + w.mails[w.IntN(len(w.mails))]
	}
	return "RCPT " + w.rcpts[w.IntN(len(w.rcpts))]
}

// transaction is one as a mail program makes it, nearly always.
func (w *writer) transaction() {
	w.WriteString("MAIL FROM:<a@example.com>\r\n")
	for range 1 + w.IntN(6) {
		w.WriteString("RCPT " + w.rcpts[w.IntN(len(w.rcpts))] + "\r\n")
	}
	w.WriteString("RCPT TO:<b@example.com>\r\n")
	if w.IntN(3) == 0 {
		for range w.IntN(4) {
			w.chunk("")
		}
		w.chunk(" LAST")
		return
	}
	w.WriteString("DATA\r\n")
	w.Write(w.body())
	w.WriteString(pick(w, "\r\n.\r\n", "\r\n.\r\n", ".\r\n", "\r\n..\r\n.\r\n"))
	w.WriteString(pick(w, "", "", "", "\r\n.\r\n")) // so that most dialogues come to an end of data
}

// body is a message of nasty pieces.
func (w *writer) body() []byte {
	var b bytes.Buffer
	pieces := []string{
		"Subject: x\r\n", "Bcc: secret@example.com\r\n", "bcc :\r\n\tsecret@example.com\r\n", "Resent-Bcc: x\r\n y\r\n", "Bccx: y\r\n", "\r\n", "text\r\n",
		".", "..\r\n", ".text\r\n", " folded\r\n", "QUIT\r\n", "RSET\r\nMAIL FROM:<evil@example.com>\r\n", strings.Repeat("long ", 150) + "\r\n", "ü\x00\xff\r\n",
	}
	if w.IntN(4) == 0 {
		pieces = append(pieces, "\n", "\r", "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r\r\n.\n", "x\ny", "\n\n.\r\n")
	}
	for range w.IntN(12) {
		b.WriteString(pieces[w.IntN(len(pieces))])
	}
	return b.Bytes()
}

func (w *writer) chunk(last string) {
	body := w.body()
	if w.IntN(6) == 0 {
		body = nil
	}
	fmt.Fprintf(w, "BDAT %d%s\r\n%s", len(body), last, body)
}

func (w *writer) auth() {
	const user, password, plain = "bG9jYWw=", "czNjcmV0", "AGxvY2FsAHMzY3JldA=="
	w.WriteString(pick(w,
		"AUTH PLAIN "+plain+"\r\n", "AUTH PLAIN\r\n"+plain+"\r\n", "AUTH LOGIN\r\n"+user+"\r\n"+password+"\r\n", "auth login "+user+"\r\n"+password+"\r\n",
		"AUTH LOGIN\r\n*\r\n", "AUTH PLAIN\r\n*\r\n", "AUTH PLAIN =\r\n", "AUTH PLAIN !\r\n", "AUTH LOGIN\r\n!\r\n", "AUTH CRAM-MD5\r\n", "AUTH\r\n", "AUTH PLAIN "+user+"\r\n"))
}

func (w *writer) nonsense() {
	w.WriteString(pick(w, "\r\n", "FOOO\r\n", "FOO\r\n", "NOOP\x00\r\n", "GET / HTTP/1.1\r\n", "BDAT x\r\n", "BDAT 5 FIRST\r\nabcde", "BDAT\t5\r\nabcde", "MAIL\r\n", "RCPTTO:<b@example.com>\r\n", "\xff\xfe\r\n", ".\r\n"))
}

// TestRandomDialogues plays 2,000 dialogues against the listener: commands that
// are right, wrong and out of order, in pieces of any size, cut anywhere. Every
// command has one answer, in its turn; nothing but the end of data ends data; a
// message is stored when its 250 was said, and is what was sent.
func TestRandomDialogues(t *testing.T) {
	const dialogues = 2000
	noLeaks(t)
	seeds := make(chan uint64)
	var players sync.WaitGroup
	var mu sync.Mutex
	count := map[string]int{}
	for range 4 {
		players.Go(func() {
			for seed := range seeds {
				played := playSeed(t, seed)
				mu.Lock()
				for k, n := range played {
					count[k] += n
				}
				mu.Unlock()
			}
		})
	}
	for seed := range uint64(dialogues) {
		if t.Failed() {
			break
		}
		seeds <- seed
	}
	close(seeds)
	players.Wait()
	t.Logf("replies, messages, cuts: %v", count)
	for _, code := range []string{"220", "221", "235", "250", "252", "334", "354", "421", "451", "452", "500", "501", "502", "503", "504", "530", "552", "553", "554", "stored", "cut"} {
		if count[code] == 0 && !t.Failed() {
			t.Errorf("no dialogue came to %s", code)
		}
	}
}

// playSeed plays one dialogue and counts what came.
func playSeed(t *testing.T, seed uint64) map[string]int {
	w := newWriter(seed)
	in := w.dialogue()
	count := map[string]int{}
	if w.IntN(3) == 0 {
		in = in[:w.IntN(len(in)+1)]
		count["cut"]++
	}
	vanish := w.IntN(8) == 0 // it hangs up without listening
	spool := &memory{}
	cfg := testConfig(spool)
	cfg.RequireAuth, cfg.MaxMessage, cfg.MaxRecipients = w.IntN(3) == 0, 2000, 5
	cfg.Verify = func(context.Context, string, string) bool { return true }
	m := &model{mustAuth: cfg.RequireAuth, limit: int(cfg.MaxMessage), maxRcpt: cfg.MaxRecipients, in: in}
	m.run()

	s := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	got, err := converse(s.Listeners()[0].Address, w.Rand, in, vanish)
	if vanish {
		// It may vanish before the server has read all.
	} else if err != nil {
		t.Errorf("seed %d: %v", seed, err)
	} else {
		want := append([]answer{{"220"}}, m.out...)
		if m.browser {
			want = want[:min(len(want), len(got))]
		}
		compareReplies(t, seed, in, got, want)
	}
	for _, r := range got {
		count[r[:3]]++
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("seed %d: Run: %v", seed, err)
	}
	count["stored"] += len(spool.messages())
	compareMail(t, seed, in, spool, m.mail, vanish)
	return count
}

// converse sends in pieces and reads all replies; the client's side ends with
// the last piece.
func converse(address string, r *rand.Rand, in []byte, vanish bool) ([]string, error) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	pieces := [][]byte{in}
	if r.IntN(3) > 0 {
		pieces = nil
		for rest := in; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(60))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
	}
	var sent sync.WaitGroup
	defer sent.Wait()
	sent.Go(func() {
		for _, p := range pieces {
			if _, err := nc.Write(p); err != nil {
				return // the server has hung up
			}
			runtime.Gosched()
		}
		if vanish {
			nc.Close()
			return
		}
		nc.(*net.TCPConn).CloseWrite()
	})
	text, err := io.ReadAll(nc)
	if err != nil && (isReset(err) || vanish && errors.Is(err, net.ErrClosed)) {
		err = nil
	}
	return replyList(string(text)), err
}

// replyList takes the last line of each reply.
func replyList(text string) []string {
	var out []string
	for _, l := range strings.SplitAfter(text, "\r\n") {
		if len(l) > 4 && l[3] != '-' && strings.HasSuffix(l, "\r\n") {
			out = append(out, strings.TrimSuffix(l, "\r\n"))
		}
	}
	return out
}

func compareReplies(t *testing.T, seed uint64, in []byte, got []string, want []answer) {
	for i, w := range want {
		if i >= len(got) || !slices.ContainsFunc(w, func(code string) bool { return strings.HasPrefix(got[i], code) }) {
			t.Errorf("seed %d: reply %d of\n got %q\nwant %q\nto %q", seed, i, got, want, in)
			return
		}
	}
	if len(got) > len(want) {
		t.Errorf("seed %d: more replies than commands:\n got %q\nwant %q\nto %q", seed, got, want, in)
	}
}

// compareMail holds that the stored messages are the model's; of one that
// vanished, the first of them.
func compareMail(t *testing.T, seed uint64, in []byte, spool *memory, want []modelMail, vanish bool) {
	got := spool.messages()
	if len(got) > len(want) || len(got) < len(want) && !vanish {
		t.Errorf("seed %d: %d messages stored, want %d\nof %q", seed, len(got), len(want), in)
		return
	}
	for i, g := range got {
		var rcpts []string
		for _, r := range g.env.Recipients {
			rcpts = append(rcpts, r.Address)
		}
		if body := g.withoutTrace(t); body != want[i].body || g.env.From != want[i].from || !slices.Equal(rcpts, want[i].rcpts) {
			t.Errorf("seed %d: message %d\n got %q %q %q\nwant %q", seed, i, g.env.From, rcpts, body, want[i])
		}
	}
	spool.balanced(t)
	if spool.creates != spool.discards+len(got) {
		t.Errorf("seed %d: %d created, %d discarded, %d committed", seed, spool.creates, spool.discards, len(got))
	}
}
