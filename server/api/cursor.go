package api

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// errCursor says that a cursor is not of this list of this store.
var errCursor = errors.New("cursor of another list or store")

// The lists that have cursors.
const (
	eventList  = "events"
	errorList  = "errors"
	noticeList = "notices"

	partnerList = "partner_accounts"
)

// cursors writes and reads the places in lists. A cursor names its list and
// store, so that one from a relay that was set up anew starts again instead of
// skipping what has lower numbers now.
type cursors struct{ store string }

func (c cursors) write(list string, id int64) string {
	return c.writeID(list, strconv.FormatInt(id, 10))
}

// writeID is write for a list whose ids are text.
func (c cursors) writeID(list, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + " " + c.store + " " + id))
}

// read is 0 for the empty cursor: the beginning.
func (c cursors) read(list, cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	number, err := c.readID(list, cursor)
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || id < 0 {
		return 0, errCursor
	}
	return id, nil
}

// readID is read for a list whose ids are text; "" is the beginning.
func (c cursors) readID(list, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", errCursor
	}
	id, ok := strings.CutPrefix(string(text), list+" "+c.store+" ")
	if !ok {
		return "", errCursor
	}
	return id, nil
}
