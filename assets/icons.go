// Package assets holds the data that the programs carry with them: icons and
// what else is embedded beside them. It is data only: it reads no file at run
// time, starts nothing, and knows neither mail nor window.
//
// # Icons
//
// All icons are our own drawings, simple shapes on a grid of 24 with lines two
// units wide and round ends. An icon that the window colours consists of
// filled paths alone: Fyne gives a themed icon its colour by replacing fills,
// it leaves strokes black, does not enlarge them with the icon, and loses every
// element but path, rect, circle, ellipse and polygon. A test holds all icons
// to that.
package assets

import (
	"embed"
	"slices"
	"strings"
)

//go:embed icons/*.svg
var icons embed.FS

// Icon returns the SVG source of the named icon, or nil when there is none.
//
// "app" is the program's mark and "app-small" the same for 16 pixels.
// "tray-STATE-PANEL" are the tray's icons, STATE being idle, sending, paused,
// attention or offline, and PANEL light or dark: the panel that they lie on.
// The others are the window's.
func Icon(name string) []byte {
	data, err := icons.ReadFile("icons/" + name + ".svg")
	if err != nil {
		return nil
	}
	return data
}

// IconNames returns the names of all icons, sorted.
func IconNames() []string {
	entries, err := icons.ReadDir("icons")
	if err != nil {
		return nil // cannot happen: the folder is embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".svg"))
	}
	slices.Sort(names)
	return names
}
