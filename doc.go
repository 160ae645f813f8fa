// Package companion is the root of the module: it holds no code, only tests
// about the module as a whole (arch_test.go).
package companion
