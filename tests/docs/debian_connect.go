package main

import "google.golang.org/grpc"

// In place of docs/wire/go/connect.go where grpc-go is as old as Debian's, which has neither NewClient nor insecure.
func connect(url string) (*grpc.ClientConn, error) {
	return grpc.Dial(url, grpc.WithInsecure(), grpc.WithDefaultServiceConfig(serviceConfig))
}
