// libcurl, with typed faces for its variadic functions, which Swift cannot call. Each names the C type that
// curl_easy_setopt(3), curl_easy_getinfo(3) or curl_multi_setopt(3) says the option takes; there is no logic here.
#ifndef MODELSYNC_CCURL_H
#define MODELSYNC_CCURL_H
#include <curl/curl.h>
#include <openssl/crypto.h>

// A function, because Swift sees neither the macro's 64-bit constant nor the NULL settings as what they are. To be
// called before curl_global_init(3). Returns 1 on success, as OPENSSL_init_crypto(3) does.
static inline int modelsync_openssl_init_without_atexit(void) {
    return OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

static inline CURLcode modelsync_curl_set_long(CURL *_Nonnull easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode modelsync_curl_set_off(CURL *_Nonnull easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
// The string is copied by libcurl.
static inline CURLcode modelsync_curl_set_string(CURL *_Nonnull easy, CURLoption option, const char *_Nullable value) {
    return curl_easy_setopt(easy, option, value);
}
// The pointer is kept by libcurl: it must outlive the transfer.
static inline CURLcode modelsync_curl_set_pointer(CURL *_Nonnull easy, CURLoption option, void *_Nullable value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode modelsync_curl_set_list(CURL *_Nonnull easy, CURLoption option, struct curl_slist *_Nullable value) {
    return curl_easy_setopt(easy, option, value);
}
typedef size_t (*modelsync_curl_data_callback)(char *_Nullable bytes, size_t size, size_t count, void *_Nullable context);
static inline CURLcode modelsync_curl_set_data_callback(CURL *_Nonnull easy, CURLoption option, modelsync_curl_data_callback _Nullable value) {
    return curl_easy_setopt(easy, option, value);
}
typedef int (*modelsync_curl_open_callback)(void *_Nullable context, curl_socket_t socket, curlsocktype purpose);
static inline CURLcode modelsync_curl_set_open_callback(CURL *_Nonnull easy, modelsync_curl_open_callback _Nullable value) {
    return curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, value);
}
typedef int (*modelsync_curl_close_callback)(void *_Nullable context, curl_socket_t socket);
static inline CURLcode modelsync_curl_set_close_callback(CURL *_Nonnull easy, modelsync_curl_close_callback _Nullable value) {
    return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, value);
}
static inline CURLcode modelsync_curl_get_long(CURL *_Nonnull easy, CURLINFO info, long *_Nonnull value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode modelsync_curl_get_off(CURL *_Nonnull easy, CURLINFO info, curl_off_t *_Nonnull value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode modelsync_curl_get_string(CURL *_Nonnull easy, CURLINFO info, const char *_Nullable *_Nonnull value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode modelsync_curl_get_pointer(CURL *_Nonnull easy, CURLINFO info, void *_Nullable *_Nonnull value) {
    return curl_easy_getinfo(easy, info, value);
}
// The code of a CURLMSG_DONE message, which Swift would have to read through a union.
static inline CURLcode modelsync_curl_message_result(const CURLMsg *_Nonnull message) {
    return message->data.result;
}
static inline CURLMcode modelsync_curl_multi_set_long(CURLM *_Nonnull multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
#endif
