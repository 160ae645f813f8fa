package spool

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

func TestRecipientsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mail.Recipient {
			r := mail.Recipient{Address: rapid.StringN(1, -1, -1).Draw(t, "address"), Original: rapid.String().Draw(t, "original")}
			if words := rapid.SliceOfN(rapid.SampledFrom([]string{"NEVER", "SUCCESS", "FAILURE", "DELAY", ""}), 0, 3).Draw(t, "notify"); len(words) > 0 {
				r.Notify = words
			}
			return r
		}), 1, 20).Draw(t, "list")
		blob := encodeRecipients(list)
		got, err := decodeRecipients(blob)
		if d := cmp.Diff(list, got); err != nil || d != "" {
			t.Fatalf("%v\n%s", err, d)
		}
		// Whatever is cut off must not pass as the same list.
		if short, err := decodeRecipients(blob[:rapid.IntRange(0, len(blob)-1).Draw(t, "cut")]); err == nil && len(short) >= len(list) {
			t.Fatalf("a cut list was read whole")
		}
	})
}

func FuzzDecodeRecipients(f *testing.F) {
	f.Add(encodeRecipients(recipients(3)))
	f.Add(encodeRecipients([]mail.Recipient{{Address: "a@b", Notify: []string{"NEVER"}, Original: "rfc822;c@d"}}))
	f.Add([]byte{recipientsVersion, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, blob []byte) {
		list, err := decodeRecipients(blob)
		if err != nil {
			if !errors.Is(err, ErrDamaged) || list != nil {
				t.Fatalf("%v, %v", list, err)
			}
			return
		}
		again, err := decodeRecipients(encodeRecipients(list))
		if d := cmp.Diff(list, again); err != nil || d != "" {
			t.Fatalf("%v\n%s", err, d)
		}
	})
}
