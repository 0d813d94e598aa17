// Loaded into the real program by a test: the one secret that TOCSIN_TEST_POISON names makes fingerprinting kill the
// process, as a fault in a library would, or throw.

#include <dlfcn.h>
#include <openssl/hmac.h>
#include <signal.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>

extern "C" unsigned char* HMAC(const EVP_MD* md, const void* key, int key_size, const unsigned char* data,
                               std::size_t size, unsigned char* out, unsigned int* out_size) {
  static const auto real = reinterpret_cast<decltype(&HMAC)>(dlsym(RTLD_NEXT, "HMAC"));
  static const char* const poison = std::getenv("TOCSIN_TEST_POISON");
  const std::string_view identity(reinterpret_cast<const char*>(data), size);
  if (poison != nullptr && identity.find(poison) != std::string_view::npos) {
    if (std::getenv("TOCSIN_TEST_THROWS") == nullptr) raise(SIGSEGV);
    throw std::runtime_error("of the test: " + std::string(identity));
  }
  return real(md, key, key_size, data, size, out, out_size);
}
