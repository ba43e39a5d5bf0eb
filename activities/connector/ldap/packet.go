package ldap

import ber "github.com/go-asn1-ber/asn1-ber"

// maxMessage is how many bytes a message of a server may have: room for a group of some hundred thousand members.
const maxMessage = 64 << 20

// The library has one limit for all, and reads 2 GiB if it is told nothing else.
func init() { ber.MaxPacketLengthBytes = maxMessage }
