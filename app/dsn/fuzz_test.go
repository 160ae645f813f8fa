package dsn

import (
	"io"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// What strangers write: addresses, replies, envelope ids, originals. Whatever
// it is, the report keeps its form: its fields, its parts, one block for each
// recipient, and lines as they must be.
func FuzzReport(f *testing.F) {
	f.Add("bob@example.net", "rfc822;bob@example.net", "no such user", "alice@example.com", "QQ", original, false)
	f.Add("bob@example.net\r\nBcc: eve@example.net", "rfc822;x\r\n\r\nFinal-Recipient: rfc822;eve@x", "a\r\n\r\n--=_01K\r\n.\r\n", "a@b\r\nX: y", "\r\n\r\nAction: delivered", original, true)
	f.Add("jürgen@bücher.example", "utf-8;ü", strings.Repeat("x", 5000), "ü@ü", "ü", "Subject: ü\r\n\r\nü", true)
	f.Add("bob@example.net", "", strings.Repeat("word ", 1000), "alice@example.com", "", original, false)
	f.Add(strings.Repeat("a", 2000)+"@b", strings.Repeat("a", 2000)+";x", "", `"a b"@c`, strings.Repeat("b", 2000), "Subject: "+strings.Repeat("s", 2000)+"\r\n\r\n", true)
	f.Add("\xff\xfe@\x00", "x;\xff", "\u2028\u202e\x7f", "a>, <b@c", "=?utf-8?q?x?=", "Message-ID: <a@b>\r\n\r\n\n", true)
	f.Fuzz(func(t *testing.T, address, orcpt, reply, to, envid, message string, full bool) {
		o, err := ReadOriginal(strings.NewReader(message), full)
		if err != nil {
			t.Fatal(err)
		}
		bad := Failure{Recipient: mail.Recipient{Address: address, Original: orcpt}, At: arrived, Reason: say.T("The address does not exist."),
			Reply: mail.Reply{Code: mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, Text: reply}}
		r := Report{Say: say.English, ID: "01K00000000000000000000001", Now: arrived, To: to, Hostname: "localhost", EnvelopeID: envid, Arrived: arrived,
			Original: o, Failures: failures(bad, bad), Failed: 2, Recipients: 2}
		for _, digest := range []bool{false, true} {
			r.Digest, r.List = digest, func(w io.Writer) error { _, err := io.WriteString(w, reply+"\r\n"); return err }
			data := write(t, r)
			got := parse(t, data)
			var names []string
			for name, values := range got.header {
				names = append(names, name)
				if len(values) != 1 {
					t.Errorf("%s stands %d times", name, len(values))
				}
			}
			for _, name := range names {
				if !slices.Contains(ownFields, name) {
					t.Errorf("field %q", name)
				}
			}
			if len(got.status) != 3 {
				t.Fatalf("%d blocks", len(got.status))
			}
			for _, block := range got.status {
				checkBlock(t, block)
			}
			if !r.EightBit() && !r.UTF8() && !isASCII(string(data)) {
				t.Error("8-bit without a word of it")
			}
		}
	})
}

var (
	ownFields = []string{"Date", "From", "To", "Subject", "Message-Id", "In-Reply-To", "References", "Auto-Submitted", "Mime-Version", "Content-Type", "Content-Transfer-Encoding"}
	ownStatus = []string{"Original-Envelope-Id", "Reporting-Mta", "Arrival-Date", "Original-Recipient", "Final-Recipient", "Action", "Status", "Diagnostic-Code", "Last-Attempt-Date"}
)

func checkBlock(t *testing.T, block textproto.MIMEHeader) {
	t.Helper()
	for name, values := range block {
		if !slices.Contains(ownStatus, name) || len(values) != 1 {
			t.Errorf("field %q: %q", name, values)
		}
		if name == "Action" && values[0] != "failed" || name == "Status" && values[0] != "5.1.1" {
			t.Errorf("%s: %q", name, values)
		}
	}
}
