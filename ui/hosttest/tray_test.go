//go:build linux

package hosttest

import (
	"image/color"
	"slices"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// icon is a program with an icon in the tray, as Fyne makes one.
type icon struct {
	mu      sync.Mutex // guards what follows
	label   string
	asked   int
	clicked []int32
	tapped  int
}

// seen is what has been done to the icon so far.
func (i *icon) seen() (clicked []int32, tapped int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.clicked), i.tapped
}

type pixmap struct {
	W, H int32
	Pix  []byte
}

func (i *icon) Activate(int32, int32) *dbus.Error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tapped++
	return nil
}

func (i *icon) Event(id int32, event string, _ dbus.Variant, _ uint32) *dbus.Error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if event == "clicked" {
		i.clicked = append(i.clicked, id)
		i.label = "Hide"
	}
	return nil
}

// GetLayout leaves out the submenus at first.
func (i *icon) GetLayout(int32, int32, []string) (uint32, layout, *dbus.Error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	line := func(id int32, values map[string]any, children ...layout) layout {
		l := layout{ID: id, Properties: map[string]dbus.Variant{}, Children: []dbus.Variant{}}
		for name, v := range values {
			l.Properties[name] = dbus.MakeVariant(v)
		}
		for _, c := range children {
			l.Children = append(l.Children, dbus.MakeVariant(c))
		}
		return l
	}
	more := line(4, map[string]any{"label": "Mehr 漢"})
	if i.asked > 1 {
		more = line(4, map[string]any{"label": "Mehr 漢"}, line(5, map[string]any{"label": "Deep", "toggle-type": "checkmark", "toggle-state": int32(1)}))
	}
	return 1, line(0, nil,
		line(2, map[string]any{"label": i.label}),
		line(3, map[string]any{"type": "separator"}),
		more,
		line(6, map[string]any{"label": "Quit", "enabled": false}),
		line(7, map[string]any{"label": "unseen", "visible": false})), nil
}

func (i *icon) Get(_, name string) (dbus.Variant, *dbus.Error) {
	switch name {
	case "Menu":
		return dbus.MakeVariant(dbus.ObjectPath("/StatusNotifierItem/menu")), nil
	case "IconPixmap":
		return dbus.MakeVariant([]pixmap{{1, 1, []byte{1, 2, 3, 4}}, {2, 1, []byte{255, 10, 20, 30, 128, 40, 50, 60}}}), nil
	case "Title":
		return dbus.MakeVariant("Büro"), nil
	}
	return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
}

func newIcon(t *testing.T, s *Session) *icon {
	i := &icon{label: "Show"}
	conn := s.connect()
	t.Cleanup(func() { conn.Close() })
	for iface, path := range map[string]dbus.ObjectPath{itemIface: "/StatusNotifierItem", properties: "/StatusNotifierItem", menuIface: "/StatusNotifierItem/menu"} {
		if err := conn.Export(i, path, iface); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Object(watcherName, watcherPath).Call(watcherName+".RegisterStatusNotifierItem", 0, "/StatusNotifierItem").Err; err != nil {
		t.Fatal(err)
	}
	return i
}

func TestTray(t *testing.T) {
	s := NewSession(t)
	w := NewWatcher(s)
	if got := w.Items(); len(got) != 0 {
		t.Fatalf("got %d items before there is one", len(got))
	}
	program := newIcon(t, s)
	item := w.WaitItem()
	var title string
	if err := item.Property("Title", &title); err != nil || title != "Büro" {
		t.Errorf("title: got %q, %v", title, err)
	}
	if err := item.Property("None", &title); err == nil {
		t.Error("a property that is not there: no error")
	}
	picture, err := item.Icon()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := picture.At(1, 0), (color.NRGBA{40, 50, 60, 128}); picture.Bounds().Dx() != 2 || got != want {
		t.Errorf("icon: got %v, %v, want 2 wide and %v", picture.Bounds(), got, want)
	}
	if err := item.Activate(); err != nil {
		t.Error(err)
	}
	if _, tapped := program.seen(); tapped != 1 {
		t.Errorf("left clicks: got %d, want 1", tapped)
	}
}

func TestMenu(t *testing.T) {
	s := NewSession(t)
	w := NewWatcher(s)
	program := newIcon(t, s)
	item := w.WaitItem()
	menu, err := item.Menu()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := menu.Labels(), []string{"Show", "-", "Mehr 漢", "Quit"}; !slices.Equal(got, want) {
		t.Errorf("labels: got %q, want %q", got, want)
	}
	if quit := menu.Find("Quit"); quit == nil || quit.Enabled || quit.ID != 6 {
		t.Errorf("quit: got %+v", quit)
	}
	if deep := menu.Find("Deep"); deep == nil || !deep.Checked || deep.Toggle != "checkmark" || !deep.Enabled {
		t.Errorf("submenu: got %+v", deep)
	}
	if err := item.Click(menu.Find("Show").ID); err != nil {
		t.Fatal(err)
	}
	item.WaitMenu("the changed label", func(m *MenuItem) bool { return m.Find("Hide") != nil })
	if got, _ := program.seen(); !slices.Equal(got, []int32{2}) {
		t.Errorf("clicked: got %v", got)
	}
}

// An icon is gone with its program, and a tray can come back.
func TestTrayComesBack(t *testing.T) {
	s := NewSession(t)
	w := NewWatcher(s)
	conn := s.connect()
	defer conn.Close()
	register := func() error {
		return conn.Object(watcherName, watcherPath).Call(watcherName+".RegisterStatusNotifierItem", 0, "/StatusNotifierItem").Err
	}
	if err := register(); err != nil {
		t.Fatal(err)
	}
	w.WaitItem()
	w.Stop()
	Eventually(t, "no tray", func() bool { return !s.owned(watcherName) })
	w = NewWatcher(s)
	if len(w.Items()) != 0 || w.Registrations() != 0 {
		t.Error("a new tray knows old icons")
	}
	if err := register(); err != nil {
		t.Fatal(err)
	}
	w.WaitItem()
	conn.Close()
	Eventually(t, "no icon", func() bool { return len(w.Items()) == 0 })
}
