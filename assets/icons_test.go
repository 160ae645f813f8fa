package assets

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// wanted are the icons that others rely on by name.
var wanted = strings.Fields(`app app-small
	tray-idle-light tray-sending-light tray-paused-light tray-attention-light tray-offline-light
	tray-idle-dark tray-sending-dark tray-paused-dark tray-attention-dark tray-offline-dark
	overview queue errors usage settings connect log copy check pause play retry cancel export search
	info help warning alarm mail person plane clock key more eye eye-off lock trash link plus book offline
	chevron-down chevron-up chevron-right`)

func TestEveryIconIsThere(t *testing.T) {
	names := IconNames()
	for _, name := range wanted {
		if !slices.Contains(names, name) || len(Icon(name)) == 0 {
			t.Errorf("icon %s is missing", name)
		}
	}
	for _, name := range names {
		if !slices.Contains(wanted, name) {
			t.Errorf("icon %s is in the folder, but nobody asks for it", name)
		}
	}
	if Icon("nonsense") != nil {
		t.Error("an unknown name must give nil")
	}
}

// TestIconsAreDrawable holds the icons to what Fyne draws and colours right:
// filled paths. Strokes keep their colour when the theme changes, and their
// width in pixels when the icon is enlarged.
func TestIconsAreDrawable(t *testing.T) {
	for _, name := range IconNames() {
		// These have colours of their own and may be turned.
		coloured := strings.HasPrefix(name, "tray-") || strings.HasPrefix(name, "app")
		decoder := xml.NewDecoder(bytes.NewReader(Icon(name)))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if start, ok := token.(xml.StartElement); ok {
				checkElement(t, name, start, coloured)
			}
		}
	}
}

func checkElement(t *testing.T, name string, e xml.StartElement, coloured bool) {
	t.Helper()
	if e.Name.Local == "svg" {
		return
	}
	if e.Name.Local != "path" && (e.Name.Local != "g" || !coloured) {
		t.Errorf("%s: element %s: want paths only", name, e.Name.Local)
	}
	for _, a := range e.Attr {
		switch {
		case a.Name.Local == "d":
		case coloured && slices.Contains([]string{"fill", "fill-opacity", "transform"}, a.Name.Local):
		default:
			t.Errorf("%s: attribute %s is lost or misread when the icon is coloured", name, a.Name.Local)
		}
	}
}
