// Which addresses a call may go to.

#include "edge/http/address_guard.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace address_guard_test {

TEST(AddressGuard, KnowsTheRangesThatAreNotPublic) {
  const AddressGuard guard = AddressGuard::create({}).value();
  for (const std::string text : {"0.0.0.0",
                                 "0.1.2.3",
                                 "10.0.0.1",
                                 "100.64.0.1",
                                 "100.127.255.255",
                                 "127.0.0.1",
                                 "127.255.255.255",
                                 "169.254.169.254",
                                 "172.16.0.1",
                                 "172.31.255.255",
                                 "192.168.1.1",
                                 "192.0.0.1",
                                 "198.18.0.1",
                                 "198.19.255.255",
                                 "224.0.0.1",
                                 "239.255.255.255",
                                 "240.0.0.1",
                                 "255.255.255.255",
                                 "::",
                                 "::1",
                                 "::7f00:1",
                                 "::ffff:127.0.0.1",
                                 "::ffff:8.8.8.8",
                                 "64:ff9b::7f00:1",
                                 "64:ff9b::a00:1",
                                 "64:ff9b:1::1",
                                 "2001::1",
                                 "2002:7f00:1::",
                                 "fc00::1",
                                 "fdff::1",
                                 "fe80::1",
                                 "febf::1",
                                 "fec0::1",
                                 "ff02::1",
                                 "2001:db8::1"})
    EXPECT_FALSE(guard.allows(parse_ip_address(text).value())) << text;
  for (const std::string text :
       {"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.1.1",
        "223.255.255.255", "2606:4700:4700::1111", "64:ff9b::808:808"})
    EXPECT_TRUE(guard.allows(parse_ip_address(text).value())) << text;
}

TEST(AddressGuard, AllowsWhatIsListedAndNoMore) {
  const AddressGuard guard = AddressGuard::create({"10.1.0.0/18", "192.168.7.7", "fd00:1::/33"}).value();
  for (const std::string text : {"10.1.0.1", "10.1.63.255", "192.168.7.7", "fd00:1:7fff::1", "8.8.8.8"})
    EXPECT_TRUE(guard.allows(parse_ip_address(text).value())) << text;
  for (const std::string text : {"10.1.64.0", "10.0.255.255", "192.168.7.8", "fd00:1:8000::1", "::ffff:10.1.0.1"})
    EXPECT_FALSE(guard.allows(parse_ip_address(text).value())) << text;
}

TEST(AddressGuard, ReportsEveryBadRange) {
  const auto bad = AddressGuard::create(
      {"10.0.0.0/8", "10.0.0.0/33", "10.1.0.0/8", "localhost", "::/129", "1.2.3.4/", "1.2.3.4/+8"});
  ASSERT_FALSE(bad);
  ASSERT_EQ(bad.error().size(), 6U);
  EXPECT_EQ(bad.error()[1], "allow_cidrs: \"10.1.0.0/8\" has bits behind its prefix: write 10.0.0.0/8");
}

}  // namespace address_guard_test
}  // namespace tocsin
