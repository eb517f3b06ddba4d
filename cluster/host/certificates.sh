# Certificates and kubeconfigs, made once and kept for the life of the state.
# shellcheck shell=bash

# certificate FILE CN [O] [SANS], signed by ${CA:-ca}. The .crt is written last, atomically: its existence proves
# completeness.
certificate() {
  local f=$PKI/$1 by=$PKI/${CA:-ca}
  [ -s "$f.crt" ] && return 0
  openssl ecparam -name prime256v1 -genkey -noout -out "$f.key"
  openssl req -new -key "$f.key" -subj "/${3:+O=$3/}CN=$2" -out "$f.csr"
  openssl x509 -req -in "$f.csr" -CA "$by.crt" -CAkey "$by.key" -CAcreateserial -days 3650 -out "$f.new" \
    -extfile <(echo "keyUsage=digitalSignature,keyEncipherment"; echo "extendedKeyUsage=serverAuth,clientAuth"; [ -z "${4:-}" ] || echo "subjectAltName=$4") 2>/dev/null
  rm "$f.csr"
  mv "$f.new" "$f.crt"
}
authority() {
  local f=$PKI/$1
  [ -s "$f.crt" ] && return 0
  openssl ecparam -name prime256v1 -genkey -noout -out "$f.key"
  openssl req -x509 -new -key "$f.key" -subj "/CN=$1" -days 3650 -out "$f.new" -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
  mv "$f.new" "$f.crt"
}
# kubeconfig USER FILE: self-contained.
kubeconfig() {
  [ -s "$2" ] && [ "$2" -nt "$PKI/$1.crt" ] && return 0
  cat >"$2.new" <<Y
apiVersion: v1
kind: Config
clusters: [{name: rune, cluster: {server: "$API", certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$PKI/$1.crt"), client-key-data: $(base64 -w0 "$PKI/$1.key")}}]
contexts: [{name: rune, context: {cluster: rune, user: $1}}]
current-context: rune
Y
  chmod 600 "$2.new"
  mv "$2.new" "$2"
}
write_certificates() {
  local u svc=kubernetes.default.svc
  (
    umask 077
    authority ca
    authority front-proxy-ca
    certificate apiserver kube-apiserver "" "DNS:kubernetes,DNS:kubernetes.default,DNS:$svc,DNS:$svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$NODE_IP,IP:$API_IP"
    certificate apiserver-kubelet kube-apiserver-kubelet-client system:masters
    CA=front-proxy-ca certificate front-proxy front-proxy-client
    certificate admin admin system:masters
    certificate kubelet "system:node:$NODE" system:nodes "DNS:$NODE,IP:$NODE_IP"
    for u in kube-controller-manager kube-scheduler kube-proxy netpol localpv; do certificate $u system:$u; done
    [ -s "$PKI/sa.key" ] || { openssl genrsa -out "$PKI/sa.new" 2048 2>/dev/null && mv "$PKI/sa.new" "$PKI/sa.key"; }
    for u in kube-controller-manager kube-scheduler kubelet kube-proxy netpol localpv; do kubeconfig $u "$PKI/$u.kubeconfig"; done
    kubeconfig admin "$KUBECONFIG_OUT"
  )
}
