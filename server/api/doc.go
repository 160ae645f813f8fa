package api
//go:generate go run generate.go
