package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"servicesmtp.net/companion/assets"
)

// Icon returns one of the window's icons in the colour of the text around it.
// For the names see assets.Icon; an unknown one gives "help", which is seen at
// once and breaks nothing.
func Icon(name string) fyne.Resource { return theme.NewThemedResource(source(name)) }

// ToneIcon returns an icon in the colour of a tone.
func ToneIcon(name string, tone Tone) fyne.Resource {
	return theme.NewColoredResource(source(name), tone.ColorName())
}

// AppIcon returns the program's mark in its own colours.
func AppIcon() fyne.Resource { return source("app") }

// TrayState is what the icon in the tray tells by its shape.
type TrayState string

// The states of the tray.
const (
	TrayIdle      TrayState = "idle"
	TraySending   TrayState = "sending"
	TrayPaused    TrayState = "paused"
	TrayAttention TrayState = "attention"
	TrayOffline   TrayState = "offline"
)

// TrayStates returns all states of the tray.
func TrayStates() []TrayState {
	return []TrayState{TrayIdle, TraySending, TrayPaused, TrayAttention, TrayOffline}
}

// TrayIcon returns the tray's icon for a panel that is dark or light. It has
// colours of its own: the panel follows the desktop, not our theme.
func TrayIcon(state TrayState, darkPanel bool) fyne.Resource {
	panel := "light"
	if darkPanel {
		panel = "dark"
	}
	return source("tray-" + string(state) + "-" + panel)
}

// source is the plain SVG. Its name matters: Fyne keeps rendered pictures by
// it, and knows an SVG by its ending.
func source(name string) fyne.Resource {
	data := assets.Icon(name)
	if data == nil {
		return fyne.NewStaticResource("help.svg", assets.Icon("help"))
	}
	return fyne.NewStaticResource(name+".svg", data)
}
