/* api.h: what every public header needs: which names leave the library, and which results must be looked at. */
#ifndef ATELIER_API_H
#define ATELIER_API_H

#ifdef __cplusplus
#define AT_BEGIN_DECLS extern "C" {
#define AT_END_DECLS }
#else
#define AT_BEGIN_DECLS
#define AT_END_DECLS
#endif

/* Everything else in libatelier.so is hidden (-fvisibility=hidden). */
#define AT_API __attribute__((visibility("default")))
#define AT_MUST_CHECK __attribute__((warn_unused_result))
#define AT_PRINTF(text, first) __attribute__((format(printf, text, first)))

#endif
