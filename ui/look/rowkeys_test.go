package look

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
)

// TestTwoClicksOpen: two on the same row in time, which need not stand in the
// same place; a third opens nothing again.
func TestTwoClicksOpen(t *testing.T) {
	l, _ := newLibrary(t, 20)
	l.answer()
	var opened []string
	l.list.spec.OnOpen = func(s string) { opened = append(opened, s) }
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	l.list.now = func() time.Time { return now }
	type click struct {
		row   int
		after time.Duration
	}
	for _, c := range []struct {
		name   string
		clicks []click
		want   []string
	}{
		{"one", []click{{3, 0}}, nil},
		{"two", []click{{3, 0}, {3, 300 * time.Millisecond}}, []string{"3"}},
		{"too slow", []click{{3, 0}, {3, 500 * time.Millisecond}}, nil},
		{"two rows", []click{{3, 0}, {4, 100 * time.Millisecond}}, nil},
		{"three", []click{{3, 0}, {3, 200 * time.Millisecond}, {3, 200 * time.Millisecond}}, []string{"3"}},
		{"back again", []click{{3, 0}, {4, 100 * time.Millisecond}, {3, 100 * time.Millisecond}}, nil},
	} {
		now, opened = now.Add(time.Hour), nil
		for _, k := range c.clicks {
			now = now.Add(k.after)
			l.list.tap(k.row)
		}
		if !slices.Equal(opened, c.want) {
			t.Errorf("%s: opened %v, want %v", c.name, opened, c.want)
		}
	}
	now, opened = now.Add(time.Hour), nil
	l.list.tap(3)
	l.rows = append([]string{"new"}, l.rows...) // between the clicks
	l.list.Renew()
	l.answer()
	l.list.tap(3)
	l.list.tap(3)
	if !slices.Equal(opened, []string{"2"}) {
		t.Errorf("another row came under the pointer: opened %v, want 2 after two clicks on it", opened)
	}
}

// TestOtherKeysGoToTheOwner, also when there is no row that they could be for.
func TestOtherKeysGoToTheOwner(t *testing.T) {
	for _, rows := range []int{0, 3} {
		l, _ := newLibrary(t, rows)
		l.answer()
		var got []fyne.KeyName
		l.list.spec.OnKey = func(k fyne.KeyName) bool {
			got = append(got, k)
			return true
		}
		l.press(fyne.KeyDelete, fyne.KeyDown, fyne.KeyReturn, fyne.KeyHome, desktop.KeyMenu, fyne.KeyEscape)
		if want := []fyne.KeyName{fyne.KeyDelete, fyne.KeyEscape}; !slices.Equal(got, want) {
			t.Errorf("%d rows: the owner got %v, want %v", rows, got, want)
		}
	}
}

// TestNoClickIsLost: each goes to the row under it, a gap to the row above; one
// below all rows selects nothing.
func TestNoClickIsLost(t *testing.T) {
	l, w := newLibrary(t, 5)
	l.answer()
	var menu string
	l.list.spec.OnMenu = func(s string, _ fyne.Position) { menu = s }
	l.list.Refresh()
	top := fyne.CurrentApp().Driver().AbsolutePositionForObject(l.list.list)
	pitch := l.list.list.pitch()
	for y := float32(0.5); y < 7*pitch; y++ {
		want := strconv.Itoa(int(y / pitch))
		if y >= 5*pitch {
			want = ""
		}
		l.list.Select(-1)
		menu = ""
		test.TapCanvas(w.Canvas(), top.AddXY(80, y))
		if got, _ := l.list.Selected(); got != want {
			t.Fatalf("a click at %v selects %q, want %q", y, got, want)
		}
		l.list.list.TappedSecondary(&fyne.PointEvent{Position: fyne.NewPos(80, y)})
		if menu != want {
			t.Fatalf("a click with the other button at %v shows the menu of %q, want %q", y, menu, want)
		}
	}
}
