package notify

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// page is a mail's text before it is plain text or HTML.
type page struct {
	Language string
	Subject  string
	Blocks   []block
	Footer   string
}

// block is one of these.
type block struct {
	Heading   string
	Paragraph string
	Items     []string
	Head      []string // of Rows, or nil
	Rows      [][]string
	Link      string
	Label     string
}

// Align is where a column of the table stands: what has no head is words.
func (b block) Align(column int) string {
	if column == 0 || b.Head == nil {
		return "left"
	}
	return "right"
}

// blocks reads a body; see the package's doc.
func blocks(body string) []block {
	var all []block
	var lines []string
	for l := range strings.SplitSeq(body+"\n\n", "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
			continue
		}
		if len(lines) > 0 {
			all = append(all, readBlock(lines))
			lines = nil
		}
	}
	return all
}

func readBlock(lines []string) block {
	var b block
	switch rest, mark := lines[0], firstRune(lines[0]); mark {
	case '#':
		b.Heading = strings.TrimSpace(strings.TrimPrefix(strings.Join(lines, " "), "#"))
	case '-':
		for _, l := range lines {
			b.Items = append(b.Items, strings.TrimSpace(strings.TrimPrefix(l, "-")))
		}
	case '│', '║':
		for _, l := range lines {
			if firstRune(l) == '║' {
				b.Head = cells(l, "║")
			} else {
				b.Rows = append(b.Rows, cells(l, "│"))
			}
		}
	case '>':
		address, label, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(rest, ">")), " ")
		if u, err := url.Parse(address); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			b.Paragraph = label + ": " + address // no link: nobody is to follow it
		} else {
			b.Link, b.Label = address, label
		}
	default:
		b.Paragraph = strings.Join(lines, " ")
	}
	return b
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func cells(l, border string) []string {
	row := strings.Split(strings.Trim(l, border), border)
	for i, c := range row {
		row[i] = strings.TrimSpace(c)
	}
	return row
}

// wrapAt is the width of plain text.
const wrapAt = 72

// text is the page as plain text, lines ended by LF.
func (p page) text() string {
	var b strings.Builder
	for _, x := range p.Blocks {
		switch {
		case x.Heading != "":
			b.WriteString(x.Heading + "\n" + strings.Repeat("-", utf8.RuneCountInString(x.Heading)) + "\n")
		case len(x.Items) > 0:
			for _, i := range x.Items {
				b.WriteString(wrap("- "+i, "  "))
			}
		case len(x.Rows) > 0:
			b.WriteString(x.table())
		case x.Link != "":
			b.WriteString(wrap(x.Label+":", "") + x.Link + "\n")
		default:
			b.WriteString(wrap(x.Paragraph, ""))
		}
		b.WriteByte('\n')
	}
	// RFC 3676 §4.3 has this mark for what is no part of the message proper.
	b.WriteString("-- \n" + wrap(p.Footer, ""))
	return b.String()
}

// wrap breaks a paragraph at spaces. A word that is longer stays whole: it is
// an address.
func wrap(paragraph, indent string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Fields(paragraph) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width+1+n > wrapAt:
			b.WriteString("\n" + indent)
			width = utf8.RuneCountInString(indent)
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += n
	}
	return b.String() + "\n"
}

// table sets rows in columns.
func (b block) table() string {
	all := b.Rows
	if b.Head != nil {
		all = append([][]string{b.Head}, b.Rows...)
	}
	var widths []int
	for _, r := range all {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var out strings.Builder
	for _, r := range all {
		var l strings.Builder
		for i, c := range r {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if i > 0 {
				l.WriteString("   ")
			}
			if b.Align(i) == "left" {
				l.WriteString(c + gap)
			} else {
				l.WriteString(gap + c)
			}
		}
		out.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	return out.String()
}
