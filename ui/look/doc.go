// Package look is the look of the window: the theme, the icons, and the
// widgets that Fyne does not have.
//
// It promises that every text on every background of its own reaches the
// contrast of WCAG 2.1 AA in light and dark, that no state is told by colour
// alone, and that whatever can be activated by the mouse can be by keyboard.
// It never knows what it shows: it imports no mail, holds no rule, and carries
// no visible word of its own; all words come as arguments, already in the
// user's language. It does no I/O and starts no goroutine; everything in it is
// called on the goroutine of the user interface.
//
// The widgets expect the theme of New to be set: their colours and sizes have
// names of this package, which other themes answer with nothing.
package look
