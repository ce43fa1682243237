/* The parts of image references, by Docker's rules for what is left out. Pure. */
#ifndef NONAGON_CONTRACT_IMAGE_REF_H
#define NONAGON_CONTRACT_IMAGE_REF_H

#include "base/err.h"

/* Whether the text is an image reference; `why` (may be NULL) gets the reason when it is not. */
bool image_reference_ok(const char *image, struct err *why);
/* Whether it names its content by digest. */
bool image_has_digest(const char *image);
/* "host[:port]", "index.docker.io" when none is named; malloc'ed. */
char *image_registry(const char *image);
/* "registry/repository" in full, without tag and digest; malloc'ed. */
char *image_repository(const char *image);

#endif
