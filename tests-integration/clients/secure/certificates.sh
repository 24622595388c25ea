#!/bin/bash
# certificates.sh FOLDER: an authority `ca` and what it signed, for a server on 127.0.0.1 and a client; and
# another authority, `stranger`. Keys on a curve, for they are made at once.
set -e
cd "$1"
new() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
}
authority() {
    new "$1"
    openssl req -x509 -key "$1.key" -subj "/CN=$1" -days 30 -out "$1.crt"
}
signed() {
    new "$1"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1")
}
authority ca
authority stranger
signed server
signed client
