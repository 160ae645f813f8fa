package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
)

// Vertical puts objects below each other, each as wide as the column and as
// high as it needs at that width. It differs from container.NewVBox in giving
// the width first: wrapped text then takes its true height at once.
func Vertical(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&columnLayout{gap: gap}, objects...)
}

type columnLayout struct {
	gap  float32
	fill bool // the last object takes what is left
}

func (l *columnLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	shown := visible(objects)
	y := float32(0)
	for i, o := range shown {
		if o.Size().Width != size.Width {
			o.Resize(fyne.NewSize(size.Width, o.MinSize().Height))
		}
		height := o.MinSize().Height
		if l.fill && i == len(shown)-1 {
			height = max(height, size.Height-y)
		}
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(size.Width, height))
		y += height + l.gap
	}
}

func (l *columnLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	shown := visible(objects)
	size := fyne.NewSize(0, l.gap*float32(max(len(shown)-1, 0)))
	for _, o := range shown {
		least := o.MinSize()
		size.Width = max(size.Width, least.Width)
		size.Height += least.Height
	}
	return size
}

// Horizontal puts objects beside each other, all in the middle of the row's height.
// The object at index grow takes the width that is left, and gives of its own
// when there is too little; -1: none.
func Horizontal(gap float32, grow int, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&rowLayout{gap: gap, grow: grow}, objects...)
}

type rowLayout struct {
	gap  float32
	grow int
}

func (l *rowLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	left := size.Width - l.MinSize(objects).Width
	x := float32(0)
	for i, o := range objects {
		if !o.Visible() {
			continue
		}
		width := o.MinSize().Width
		if i == l.grow {
			width += left
		}
		if o.Size().Width != width { // width first: a wrapped text then knows its height
			o.Resize(fyne.NewSize(width, o.MinSize().Height))
		}
		height := o.MinSize().Height
		y := max((size.Height-height)/2, 0)
		o.Move(fyne.NewPos(x, y))
		o.Resize(fyne.NewSize(width, height))
		x += width + l.gap
	}
}

func (l *rowLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	shown := visible(objects)
	size := fyne.NewSize(l.gap*float32(max(len(shown)-1, 0)), 0)
	for _, o := range shown {
		least := o.MinSize()
		size.Width += least.Width
		size.Height = max(size.Height, least.Height)
	}
	return size
}

// Toolbar puts others at the right of first, which takes the width that is left.
// Where that would be less than least, the others go below it.
func Toolbar(gap, least float32, first fyne.CanvasObject, others ...fyne.CanvasObject) *fyne.Container {
	return container.New(&toolbarLayout{gap: gap, least: least}, append([]fyne.CanvasObject{first}, others...)...)
}

type toolbarLayout struct {
	gap, least float32
	below      bool // of the last layout
}

func (l *toolbarLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	first, others := objects[0], visible(objects[1:])
	width, height := size.Width, first.MinSize().Height
	x, y := float32(0), float32(0)
	l.below = len(others) > 0 && size.Width-sum(others, l.gap)-l.gap < l.least
	switch {
	case l.below:
		y = height + l.gap
	case len(others) > 0:
		width -= sum(others, l.gap) + l.gap
		x, height = width+l.gap, max(height, highest(others))
	}
	first.Move(fyne.NewPos(0, 0))
	first.Resize(fyne.NewSize(width, height))
	for _, o := range others {
		least := o.MinSize()
		o.Move(fyne.NewPos(x, y))
		o.Resize(fyne.NewSize(least.Width, highest(others)))
		x += least.Width + l.gap
	}
}

func (l *toolbarLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	others := visible(objects[1:])
	size := objects[0].MinSize()
	size.Width = max(size.Width, sum(others, l.gap))
	if l.below {
		size.Height += l.gap + highest(others)
	} else {
		size.Height = max(size.Height, highest(others))
	}
	return size
}

// sum is the width of objects beside each other.
func sum(objects []fyne.CanvasObject, gap float32) float32 {
	width := gap * float32(max(len(objects)-1, 0))
	for _, o := range objects {
		width += o.MinSize().Width
	}
	return width
}

// Tiles puts objects beside each other in equal columns, as many as are at
// least least wide, and goes on below when they do not all fit. All objects of
// one line are equally high, and a last line of fewer takes the whole width.
func Tiles(gap, least float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&tilesLayout{gap: gap, least: least}, objects...)
}

type tilesLayout struct {
	gap, least float32
	columns    int // of the last layout; 0: none yet
}

func (l *tilesLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	shown := visible(objects)
	l.columns = min(max(int((size.Width+l.gap)/(l.least+l.gap)), 1), max(len(shown), 1))
	y := float32(0)
	for start := 0; start < len(shown); start += l.columns {
		line := shown[start:min(start+l.columns, len(shown))]
		width := (size.Width - l.gap*float32(len(line)-1)) / float32(len(line))
		for _, o := range line {
			if o.Size().Width != width {
				o.Resize(fyne.NewSize(width, o.MinSize().Height))
			}
		}
		height := highest(line)
		for i, o := range line {
			o.Move(fyne.NewPos(float32(i)*(width+l.gap), y))
			o.Resize(fyne.NewSize(width, height))
		}
		y += height + l.gap
	}
}

func (l *tilesLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	shown := visible(objects)
	columns := max(l.columns, 1)
	size := fyne.NewSize(0, 0)
	for start := 0; start < len(shown); start += columns {
		if start > 0 {
			size.Height += l.gap
		}
		size.Height += highest(shown[start:min(start+columns, len(shown))])
	}
	for _, o := range shown {
		size.Width = max(size.Width, o.MinSize().Width)
	}
	return size
}

func highest(objects []fyne.CanvasObject) float32 {
	height := float32(0)
	for _, o := range objects {
		height = max(height, o.MinSize().Height)
	}
	return height
}

func visible(objects []fyne.CanvasObject) []fyne.CanvasObject {
	shown := make([]fyne.CanvasObject, 0, len(objects))
	for _, o := range objects {
		if o != nil && o.Visible() {
			shown = append(shown, o)
		}
	}
	return shown
}
