// What Go's own resolver makes of a name, printed a line each.
//
//	lookup NAME A|AAAA|both|SRV|CNAME
//
// Addresses, SRV records as zone files have them, or the canonical name; or `not found`, `timeout`, an error's text.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

var networks = map[string]string{"A": "ip4", "AAAA": "ip6", "both": "ip"}

func main() {
	if len(os.Args) != 3 {
		os.Exit(2)
	}
	lines, err := lookUp(os.Args[1], os.Args[2])
	var dnsError *net.DNSError
	switch {
	case errors.As(err, &dnsError) && dnsError.IsNotFound:
		fmt.Println("not found")
	case errors.As(err, &dnsError) && dnsError.IsTimeout:
		fmt.Println("timeout")
	case err != nil:
		fmt.Println(err)
	}
	for _, line := range lines {
		fmt.Println(line)
	}
}

func lookUp(name, kind string) (lines []string, err error) {
	resolver := net.Resolver{PreferGo: true}
	background := context.Background()
	switch kind {
	case "SRV":
		_, records, err := resolver.LookupSRV(background, "", "", name)
		for _, r := range records {
			lines = append(lines, fmt.Sprintf("%d %d %d %s", r.Priority, r.Weight, r.Port, r.Target))
		}
		return lines, err
	case "CNAME":
		canonical, err := resolver.LookupCNAME(background, name)
		return append(lines, canonical), err
	default:
		addresses, err := resolver.LookupIP(background, networks[kind], name)
		for _, address := range addresses {
			lines = append(lines, address.String())
		}
		return lines, err
	}
}
