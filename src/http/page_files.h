/* page_files: the files of the page as they stand in this folder. utils/embed makes the source of
 * it when the server is built. */
#ifndef LARDER_HTTP_PAGE_FILES_H
#define LARDER_HTTP_PAGE_FILES_H

#include <stddef.h>

#include "base/bytes.h"

/* page.html, page.css, page.js: index 0, 1, 2. */
struct bytes page_file(size_t index);

#endif
