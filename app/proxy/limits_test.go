package proxy

import (
	"strings"
	"testing"
)

// What a client says beside addresses is kept for every recipient, or shown in
// every state, so it has an end.
func TestLimitsOfWhatIsKept(t *testing.T) {
	spool := &memory{}
	nc := dial(t, start(t, testConfig(spool)))
	c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
	c.expect("220")
	long := strings.Repeat("ü", 100_000)
	c.say("EHLO x"+long, "250")
	c.say("MAIL FROM:<a@example.com>", "250")
	c.say("RCPT TO:<b@example.com> ORCPT=rfc822;"+strings.Repeat("x", maxOriginal+1), "501 5.5.4")
	c.say("RCPT TO:<b@example.com> ORCPT=rfc822;"+strings.Repeat("x", maxOriginal), "250")
	c.say("DATA", "354")
	c.say("Subject: x\r\n.", "250")
	env := spool.one(t).env
	if len(env.Recipients) != 1 || len(env.Recipients[0].Original) != len("RFC822;")+maxOriginal {
		t.Errorf("recipients %.100v", env.Recipients)
	}
	if want := "x" + long[:maxHello-1]; env.Client.Hello != want {
		t.Errorf("hello has %d octets, want %d", len(env.Client.Hello), len(want))
	}
}
