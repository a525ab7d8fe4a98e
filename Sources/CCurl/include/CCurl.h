#pragma once
#include <curl/curl.h>

/* libcurl, loaded when it is first needed: with all the libraries behind it, it takes 8 MB that the embedded store alone has no
 * use for. Names and meaning are libcurl's own, with airlock_ for curl_. */

/* Call it once, before anything else here. Returns NULL, or which part of libcurl is missing. */
const char *airlock_curl_load(void);

CURLcode airlock_global_init(long flags);
CURL *airlock_easy_init(void);
void airlock_easy_cleanup(CURL *handle);
const char *airlock_easy_strerror(CURLcode code);
struct curl_slist *airlock_slist_append(struct curl_slist *list, const char *text);
void airlock_slist_free_all(struct curl_slist *list);
CURLM *airlock_multi_init(void);
CURLMcode airlock_multi_add_handle(CURLM *multi, CURL *handle);
CURLMcode airlock_multi_remove_handle(CURLM *multi, CURL *handle);
CURLMcode airlock_multi_perform(CURLM *multi, int *running);
CURLMcode airlock_multi_poll(CURLM *multi, int milliseconds);
CURLMcode airlock_multi_wakeup(CURLM *multi);
CURLMsg *airlock_multi_info_read(CURLM *multi, int *left);
CURLMcode airlock_multi_cleanup(CURLM *multi);

// Swift cannot call C functions with variable arguments; one for each kind of argument.

typedef size_t (*airlock_receive)(char *bytes, size_t size, size_t count, void *context);

CURLcode airlock_set_long(CURL *handle, CURLoption option, long value);
CURLcode airlock_set_offset(CURL *handle, CURLoption option, curl_off_t value);
CURLcode airlock_set_string(CURL *handle, CURLoption option, const char *value);
CURLcode airlock_set_pointer(CURL *handle, CURLoption option, void *value);
CURLcode airlock_set_list(CURL *handle, CURLoption option, struct curl_slist *value);
CURLcode airlock_set_receive(CURL *handle, CURLoption option, airlock_receive callback);
CURLcode airlock_get_long(CURL *handle, CURLINFO info, long *value);
CURLMcode airlock_multi_set_long(CURLM *multi, CURLMoption option, long value);

// The message's result sits in a union.
static inline CURLcode airlock_message_result(const CURLMsg *message) { return message->data.result; }
