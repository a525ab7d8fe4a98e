#define CURL_DISABLE_TYPECHECK
#include "CCurl.h"
#include <dlfcn.h>

#define EACH_FUNCTION(use) \
    use(global_init) \
    use(easy_init) \
    use(easy_cleanup) \
    use(easy_setopt) \
    use(easy_getinfo) \
    use(easy_strerror) \
    use(slist_append) \
    use(slist_free_all) \
    use(multi_init) \
    use(multi_setopt) \
    use(multi_add_handle) \
    use(multi_remove_handle) \
    use(multi_perform) \
    use(multi_poll) \
    use(multi_wakeup) \
    use(multi_info_read) \
    use(multi_cleanup)

// Each has the type that libcurl's own header gives it.
#define FIELD(name) __typeof__(curl_##name) *name;
static struct { EACH_FUNCTION(FIELD) } curl;

const char *airlock_curl_load(void) {
    // It stays loaded until the program ends.
    void *library = dlopen("libcurl.so.4", RTLD_NOW);
    if (!library) return "libcurl.so.4";
#define FIND(name) if (!(curl.name = dlsym(library, "curl_" #name))) return "curl_" #name;
    EACH_FUNCTION(FIND)
    return NULL;
}

CURLcode airlock_global_init(long flags) { return curl.global_init(flags); }
CURL *airlock_easy_init(void) { return curl.easy_init(); }
void airlock_easy_cleanup(CURL *handle) { curl.easy_cleanup(handle); }
const char *airlock_easy_strerror(CURLcode code) { return curl.easy_strerror(code); }
struct curl_slist *airlock_slist_append(struct curl_slist *list, const char *text) { return curl.slist_append(list, text); }
void airlock_slist_free_all(struct curl_slist *list) { curl.slist_free_all(list); }
CURLM *airlock_multi_init(void) { return curl.multi_init(); }
CURLMcode airlock_multi_add_handle(CURLM *multi, CURL *handle) { return curl.multi_add_handle(multi, handle); }
CURLMcode airlock_multi_remove_handle(CURLM *multi, CURL *handle) { return curl.multi_remove_handle(multi, handle); }
CURLMcode airlock_multi_perform(CURLM *multi, int *running) { return curl.multi_perform(multi, running); }
CURLMcode airlock_multi_poll(CURLM *multi, int milliseconds) { return curl.multi_poll(multi, NULL, 0, milliseconds, NULL); }
CURLMcode airlock_multi_wakeup(CURLM *multi) { return curl.multi_wakeup(multi); }
CURLMsg *airlock_multi_info_read(CURLM *multi, int *left) { return curl.multi_info_read(multi, left); }
CURLMcode airlock_multi_cleanup(CURLM *multi) { return curl.multi_cleanup(multi); }

CURLcode airlock_set_long(CURL *handle, CURLoption option, long value) { return curl.easy_setopt(handle, option, value); }
CURLcode airlock_set_offset(CURL *handle, CURLoption option, curl_off_t value) { return curl.easy_setopt(handle, option, value); }
CURLcode airlock_set_string(CURL *handle, CURLoption option, const char *value) { return curl.easy_setopt(handle, option, value); }
CURLcode airlock_set_pointer(CURL *handle, CURLoption option, void *value) { return curl.easy_setopt(handle, option, value); }
CURLcode airlock_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl.easy_setopt(handle, option, value);
}
CURLcode airlock_set_receive(CURL *handle, CURLoption option, airlock_receive callback) {
    return curl.easy_setopt(handle, option, callback);
}
CURLcode airlock_get_long(CURL *handle, CURLINFO info, long *value) { return curl.easy_getinfo(handle, info, value); }
CURLMcode airlock_multi_set_long(CURLM *multi, CURLMoption option, long value) { return curl.multi_setopt(multi, option, value); }
