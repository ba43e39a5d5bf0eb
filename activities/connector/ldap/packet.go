package ldap

import ber "github.com/go-asn1-ber/asn1-ber"

// maxMessage limits a server's message, in bytes. A group with several hundred thousand members fits.
const maxMessage = 64 << 20

// The library has one limit for the whole program, by default 2 GiB.
func init() { ber.MaxPacketLengthBytes = maxMessage }
