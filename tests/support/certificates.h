/* certificates: made for a test, in a folder of its own: an authority, and what it has signed. Only
 * in programs that were built with TLS. */
#ifndef LARDER_TESTS_SUPPORT_CERTIFICATES_H
#define LARDER_TESTS_SUPPORT_CERTIFICATES_H

#define CERTIFICATES_PATH_MAX 128

struct certificates {
    char folder[64];
    int serial;
};

/* An authority: ca.crt, ca.key. */
void certificates_make(struct certificates *made);
/* NAME.crt and NAME.key, signed by the authority, valid from so many days before now for so many
 * days after it (negative: expired). With a password the key is encrypted. NULL: it is not. */
void certificates_add(struct certificates *made, const char *name, int days, const char *password);
/* Another authority than the one that signs: NAME.crt. */
void certificates_add_stranger(struct certificates *made, const char *name);
/* "folder/name.ending", valid until the next call but three. */
const char *certificates_path(const struct certificates *made, const char *name,
                              const char *ending);
/* Removes the folder. */
void certificates_remove(struct certificates *made);

#endif
