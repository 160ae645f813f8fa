package proxy

import (
	"bytes"
	"strconv"
	"strings"
)

// What go-smtp answers or does where the RFC or a client wants something else.

// sizeBeyond says that a line announces a size (RFC 1870 §3: up to 20 digits)
// that go-smtp, which reads 32 bits, would call no number. No message may be so
// large, and a program that is told so can tell its user.
func sizeBeyond(line []byte) bool {
	_, size, ok := bytes.Cut(bytes.ToUpper(line), []byte(" SIZE="))
	if !ok {
		return false
	}
	size, _, _ = bytes.Cut(bytes.TrimRight(size, "\r"), []byte(" "))
	digits := bytes.TrimLeft(size, "0")
	if len(size) > 20 || len(bytes.Trim(size, "0123456789")) > 0 {
		return false
	}
	_, err := strconv.ParseUint(string(digits), 10, 32)
	return len(digits) > 0 && err != nil
}

// chunks looks for BDAT at the beginning of a command line, as go-smtp will
// read it. The octets that it announces follow whether go-smtp takes them or
// not. Where it cannot be known how many they are, the connection ends after
// the answer: go-smtp would take them for commands.
func (c *conn) chunks() {
	line := c.buf[c.r:c.w]
	line = line[:bytes.IndexByte(line, '\n')]
	c.huge = sizeBeyond(line)
	if len(line) < 4 || !bytes.EqualFold(line[:4], []byte("BDAT")) {
		return
	}
	size, err := chunkSize(string(bytes.TrimRight(line, "\r")))
	if err != nil {
		c.hang(replyLine(badChunk))
		return
	}
	c.chunk = int64(size)
	c.empty = c.empty || size == 0
}

// chunkSize is the size in a BDAT command (RFC 3030 §2).
func chunkSize(line string) (uint64, error) {
	args := strings.Fields(line[4:])
	if len(line) < 6 || line[4] != ' ' || len(args) == 0 || len(args) > 2 || len(args) == 2 && !strings.EqualFold(args[1], "LAST") {
		return 0, badChunk
	}
	return strconv.ParseUint(args[0], 10, 32)
}

// amend changes a reply line of go-smtp.
func (c *conn) amend(line []byte) []byte {
	if mechanisms, ok := bytes.CutPrefix(line, []byte("250-AUTH ")); ok {
		// Outlook Express 4, and devices of its time, read an early draft of
		// RFC 2554 and look for this line only.
		return append(append(bytes.Clone(line), "250-AUTH="...), mechanisms...)
	}
	switch {
	case bytes.HasPrefix(line, []byte("454 4.7.0 Invalid base64")):
		return []byte(replyLine(badAuth)) // RFC 4954 §4 wants 501
	case bytes.HasPrefix(line, []byte("554 5.0.0 Error: transaction failed")):
		// A chunk that stopped short: the network's words, and for good. Our own
		// errors never come so far.
		return []byte(replyLine(lostData))
	case c.huge && bytes.HasPrefix(line, []byte("501 5.5.4 Unable to parse SIZE")):
		return []byte(replyLine(TooLarge))
	case c.chunk > 0 && bytes.HasPrefix(line, []byte("250 2.0.0 Continue")):
		return []byte(replyLine(lostData)) // the stream has ended inside the chunk
	case bytes.HasPrefix(line, []byte("502 5.5.1 Missing RCPT TO")):
		c.empty = false // it has begun no message, so none can be broken off
	}
	return line
}
