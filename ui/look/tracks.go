package look

import "fyne.io/fyne/v2"

// track is a column without what it shows.
type track struct {
	title string
	least float32
	grow  float32
	drop  int
	align fyne.TextAlign
}

// span is where a column stands; a width of 0 means that it was left out.
type span struct{ x, width float32 }

// place divides a width among columns. Where it is too narrow, columns with a
// drop number are left out, the highest first; then all shrink alike. What is
// left over goes to the columns that grow.
func place(tracks []track, width, gap float32) []span {
	shown := fitting(tracks, width, gap)
	var gaps, least, grow float32
	for i, t := range tracks {
		if shown[i] {
			if least > 0 {
				gaps += gap
			}
			least += t.least
			grow += t.grow
		}
	}
	shrink, extra := float32(1), width-gaps-least
	if extra < 0 && least > 0 {
		shrink, extra = max(width-gaps, 0)/least, 0
	}
	spans, x := make([]span, len(tracks)), float32(0)
	for i, t := range tracks {
		if !shown[i] {
			continue
		}
		w := t.least * shrink
		if grow > 0 {
			w += extra * t.grow / grow
		}
		spans[i] = span{x, w}
		x += w + gap
	}
	return spans
}

// fitting says which columns are shown.
func fitting(tracks []track, width, gap float32) []bool {
	shown := make([]bool, len(tracks))
	for i := range shown {
		shown[i] = true
	}
	for needed(tracks, shown, gap) > width {
		last := -1
		for i, t := range tracks {
			if shown[i] && t.drop > 0 && (last < 0 || t.drop > tracks[last].drop) {
				last = i
			}
		}
		if last < 0 {
			break
		}
		shown[last] = false
	}
	return shown
}

func needed(tracks []track, shown []bool, gap float32) float32 {
	need := float32(0)
	for i, t := range tracks {
		if shown[i] {
			if need > 0 {
				need += gap
			}
			need += t.least
		}
	}
	return need
}
