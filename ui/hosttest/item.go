//go:build linux

package hosttest

import (
	"errors"
	"fmt"
	"image"

	"github.com/godbus/dbus/v5"
)

const (
	itemIface = "org.kde.StatusNotifierItem"
	menuIface = "com.canonical.dbusmenu"
)

// Item is a program's icon in the tray, used as a panel uses it.
type Item struct {
	session *Session
	Service string
	Path    dbus.ObjectPath
}

// Property reads one property into a pointer.
func (i *Item) Property(name string, into any) error {
	var v dbus.Variant
	if err := i.session.ask(i.Service, i.Path, properties+".Get", itemIface, name).Store(&v); err != nil {
		return fmt.Errorf("tray item: %s: %w", name, err)
	}
	return v.Store(into)
}

// Properties reads all of them.
func (i *Item) Properties() (map[string]dbus.Variant, error) {
	var all map[string]dbus.Variant
	err := i.session.ask(i.Service, i.Path, properties+".GetAll", itemIface).Store(&all)
	return all, err
}

// Icon is the largest picture that the item offers.
func (i *Item) Icon() (image.Image, error) {
	var pictures []struct {
		Width, Height int32
		Pixels        []byte
	}
	if err := i.Property("IconPixmap", &pictures); err != nil {
		return nil, err
	}
	var largest *image.NRGBA
	for _, p := range pictures {
		w, h := int(p.Width), int(p.Height)
		if w <= 0 || h <= 0 || len(p.Pixels) != 4*w*h {
			return nil, fmt.Errorf("tray item: a picture of %dx%d has %d bytes", w, h, len(p.Pixels))
		}
		if largest != nil && w <= largest.Rect.Dx() {
			continue
		}
		largest = image.NewNRGBA(image.Rect(0, 0, w, h))
		for n := 0; n < len(p.Pixels); n += 4 { // ARGB in network byte order
			copy(largest.Pix[n:], []byte{p.Pixels[n+1], p.Pixels[n+2], p.Pixels[n+3], p.Pixels[n]})
		}
	}
	if largest == nil {
		return nil, errors.New("tray item: no picture")
	}
	return largest, nil
}

// Activate is a click with the left button.
func (i *Item) Activate() error {
	return i.session.ask(i.Service, i.Path, itemIface+".Activate", int32(0), int32(0)).Err
}

// MenuItem is a line of a menu, or with ID 0 the menu itself.
type MenuItem struct {
	ID               int32
	Label            string
	Enabled, Visible bool
	Type             string // "standard" or "separator"
	Toggle           string // "", "checkmark" or "radio"
	Checked          bool
	Children         []*MenuItem
}

// layout is a menu as it travels.
type layout struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

func (l layout) item() (*MenuItem, error) {
	m := &MenuItem{ID: l.ID, Enabled: true, Visible: true, Type: "standard"} // the protocol's defaults
	for name, into := range map[string]any{"label": &m.Label, "enabled": &m.Enabled, "visible": &m.Visible, "type": &m.Type, "toggle-type": &m.Toggle} {
		if v, ok := l.Properties[name]; ok {
			if err := v.Store(into); err != nil {
				return nil, fmt.Errorf("menu item %d: %s: %w", l.ID, name, err)
			}
		}
	}
	m.Checked = l.Properties["toggle-state"].Value() == int32(1)
	for _, c := range l.Children {
		var child layout
		if err := dbus.Store([]any{c.Value()}, &child); err != nil {
			return nil, fmt.Errorf("menu item %d: child: %w", l.ID, err)
		}
		item, err := child.item()
		if err != nil {
			return nil, err
		}
		m.Children = append(m.Children, item)
	}
	return m, nil
}

// Menu reads the whole menu. It asks twice, as panels do: the tray of Fyne
// leaves out the submenus in its first answer.
func (i *Item) Menu() (*MenuItem, error) {
	path, err := i.menuPath()
	if err != nil {
		return nil, err
	}
	var l layout
	for range 2 {
		var revision uint32
		l = layout{} // Store adds to a map that is there
		if err := i.session.ask(i.Service, path, menuIface+".GetLayout", int32(0), int32(-1), []string{}).Store(&revision, &l); err != nil {
			return nil, fmt.Errorf("menu: %w", err)
		}
	}
	return l.item()
}

func (i *Item) menuPath() (path dbus.ObjectPath, err error) {
	err = i.Property("Menu", &path)
	return path, err
}

// Click chooses a line of the menu. Programs renumber their lines when the menu
// changes, so take the ID from a menu just read.
func (i *Item) Click(id int32) error {
	path, err := i.menuPath()
	if err != nil {
		return err
	}
	return i.session.ask(i.Service, path, menuIface+".Event", id, "clicked", dbus.MakeVariant(int32(0)), uint32(0)).Err
}

// WaitMenu waits until the menu is as wanted.
func (i *Item) WaitMenu(what string, ok func(*MenuItem) bool) *MenuItem {
	i.session.t.Helper()
	var m *MenuItem
	var err error
	if !eventually(func() bool { m, err = i.Menu(); return err == nil && ok(m) }) {
		if err != nil {
			i.session.t.Fatalf("no menu: %v", err)
		}
		i.session.t.Fatalf("waited %v in vain: %s; the menu is %q", Patience, what, m.Labels())
	}
	return m
}

// Find returns the line with a label, at any depth, or nil.
func (m *MenuItem) Find(label string) *MenuItem {
	if m.Label == label && m.ID != 0 {
		return m
	}
	for _, c := range m.Children {
		if found := c.Find(label); found != nil {
			return found
		}
	}
	return nil
}

// Labels are the lines of this menu without its submenus; "-" is a separator.
func (m *MenuItem) Labels() []string {
	var labels []string
	for _, c := range m.Children {
		switch {
		case !c.Visible:
		case c.Type == "separator":
			labels = append(labels, "-")
		default:
			labels = append(labels, c.Label)
		}
	}
	return labels
}
