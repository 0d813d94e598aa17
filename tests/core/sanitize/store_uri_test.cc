// Names of content in a deployment's own store: the place stays, and what would open it goes.

#include "core/sanitize/store_uri.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace store_uri_test {

TEST(StoreUri, WithoutCredentialsGoesOnAsItIs) {
  for (const char* uri : {"s3://bucket/2026/01/05/7f3a.json", "gs://b/1_inputs.jsonl", "file:///var/prompts/7f",
                          "https://store.example.org:8443/content/7f?versionId=3&generation=17677", "urn:uuid:7f3a",
                          "http://[2001:db8::1]:9000/b/k", "http://[2001:db8::1]/b/a@2", "s3://b/session@2026/7f",
                          "https://h:9000/a@2/7f", "prompts/7f", "7f3a"}) {
    EXPECT_EQ(without_credentials(uri), uri);
  }
}

TEST(StoreUri, LosesWhatGrantsAccess) {
  const std::string path = "https://store.example.org/7f";
  for (const std::string& uri :
       {std::string("https://ann@store.example.org/7f"), std::string("https://ann:pw@store.example.org/7f"),
        std::string("https://ann:p@w@store.example.org/7f"), std::string("https://ann:p/w@store.example.org/7f"),
        path + "?X-Amz-Signature=5d41&X-Amz-Credential=a%2Fb&X-Amz-Security-Token=x&X-Amz-Date=1", path + "?sig=a%3D",
        path + "?X-Goog-Signature=1;Signature=2;GoogleAccessId=ann&AWSAccessKeyId=3", path + "?access_token=1",
        path + "?API_KEY=1&Authorization=2&pwd=3&session=4", path + "?%73ig=1", path + "#access_token=1",
        path + "?v=" + std::string(65, 'a'), path + "?" + std::string(65, 'a'), path + "?&&", path + "?"}) {
    EXPECT_EQ(without_credentials(uri), path) << uri;
  }
  EXPECT_EQ(without_credentials(path + "?a=1&sig=x;b=2&c"), path + "?a=1&b=2&c");
  EXPECT_EQ(without_credentials("//ann:pw@h/7f"), "//h/7f");
}

TEST(StoreUri, IsNoTextAndNoContent) {
  for (const std::string& text :
       {std::string(), std::string("Dear Ann"), std::string("a\nb"), std::string("a\x7f"), std::string("a\0b", 3),
        std::string("data:text/plain,Dear%20Ann"), std::string("DATA:,x"), std::string(1'025, 'a'), std::string("#x"),
        std::string("?sig=x")}) {
    EXPECT_EQ(without_credentials(text), std::nullopt) << text;
  }
  EXPECT_TRUE(without_credentials("database:1"));
}

}  // namespace store_uri_test
}  // namespace tocsin
