// Package account holds the rules of the service.
package account
