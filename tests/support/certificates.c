/* certificates: keys on the curve P-256, for they are made in no time. */
#include "support/certificates.h"

#ifndef LARDER_NO_TLS

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_PER_DAY 86400
#define PATHS           4

const char *certificates_path(const struct certificates *made, const char *name,
                              const char *ending) {
    static char paths[PATHS][CERTIFICATES_PATH_MAX];
    static int next;
    char *path = paths[next++ % PATHS];
    snprintf(path, CERTIFICATES_PATH_MAX, "%s/%s.%s", made->folder, name, ending);
    return path;
}

static FILE *create(const struct certificates *made, const char *name, const char *ending) {
    FILE *file = fopen(certificates_path(made, name, ending), "w");
    assert_non_null(file);
    return file;
}

static FILE *open_file(const struct certificates *made, const char *name, const char *ending) {
    FILE *file = fopen(certificates_path(made, name, ending), "r");
    assert_non_null(file);
    return file;
}

static void extend(X509 *certificate, X509 *signer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *certificate_of(struct certificates *made, EVP_PKEY *key, const char *name, int days) {
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++made->serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), (long)-2 * SECONDS_PER_DAY);
    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * SECONDS_PER_DAY);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    return certificate;
}

static void write_both(const struct certificates *made, const char *name, X509 *certificate,
                       EVP_PKEY *key, const char *password) {
    FILE *file = create(made, name, "crt");
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    file = create(made, name, "key");
    const EVP_CIPHER *cipher = password == NULL ? NULL : EVP_aes_128_cbc();
    int size = password == NULL ? 0 : (int)strlen(password);
    assert_int_equal(
        PEM_write_PrivateKey(file, key, cipher, (const unsigned char *)password, size, NULL, NULL),
        1);
    fclose(file);
}

static void make_authority(struct certificates *made, const char *name) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_of(made, key, name, 100);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    write_both(made, name, certificate, key, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void certificates_make(struct certificates *made) {
    *made = (struct certificates){.folder = "/tmp/larder-test-XXXXXX"};
    assert_non_null(mkdtemp(made->folder));
    make_authority(made, "ca");
}

void certificates_add_stranger(struct certificates *made, const char *name) {
    make_authority(made, name);
}

void certificates_add(struct certificates *made, const char *name, int days, const char *password) {
    FILE *file = open_file(made, "ca", "crt");
    X509 *authority = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    file = open_file(made, "ca", "key");
    EVP_PKEY *authority_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    assert_true(authority != NULL && authority_key != NULL);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_of(made, key, name, days);
    X509_set_issuer_name(certificate, X509_get_subject_name(authority));
    extend(certificate, authority, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    assert_true(X509_sign(certificate, authority_key, EVP_sha256()) > 0);
    write_both(made, name, certificate, key, password);
    X509_free(certificate);
    EVP_PKEY_free(key);
    X509_free(authority);
    EVP_PKEY_free(authority_key);
}

void certificates_remove(struct certificates *made) {
    DIR *folder = opendir(made->folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[sizeof made->folder + sizeof entry->d_name + 2];
        snprintf(path, sizeof path, "%s/%s", made->folder, entry->d_name);
        unlink(path);
    }
    closedir(folder);
    rmdir(made->folder);
}

#endif
