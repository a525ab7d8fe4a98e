#pragma once
#include <curl/curl.h>

// Swift cannot call C functions with variable arguments; one shim for each kind of argument.

static inline CURLcode airlock_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode airlock_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode airlock_set_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode airlock_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode airlock_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}

typedef size_t (*airlock_receive)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode airlock_set_receive(CURL *handle, CURLoption option, airlock_receive callback) {
    return curl_easy_setopt(handle, option, callback);
}
static inline CURLcode airlock_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLcode airlock_get_pointer(CURL *handle, CURLINFO info, void **value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLMcode airlock_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

// The message's result sits in a union.
static inline CURLcode airlock_message_result(const CURLMsg *message) { return message->data.result; }
