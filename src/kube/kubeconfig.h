/* Credentials from files, shared by the sources that read them. */
#ifndef NONAGON_KUBE_KUBECONFIG_H
#define NONAGON_KUBE_KUBECONFIG_H

#include "kube/client.h"

/* A whole file of at most LIMIT_API_BODY bytes, terminated and malloc'ed; NULL with an error. */
char *kube_read_file(const char *path, struct err *e);
/* Makes an HTTP transport read its bearer token from a file, again and again. */
void kube_transport_token_file(struct kube_transport *t, const char *path);

#endif
