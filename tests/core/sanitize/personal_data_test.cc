// A labelled set of personal data, and of what is taken for it by mistake: how much is found, how much of it is true.

#include <gtest/gtest.h>

#include "core/sanitize/shipped_patterns.h"

namespace tocsin {
namespace personal_data_test {

struct Sample {
  std::string text;
  std::string id;  // of what is to be found, empty where it is nothing personal
};

std::vector<Sample> samples() {
  const std::string nul(1, '\0');
  return {
      // addresses
      {"write to ann.smith@example.com today", "pii.email"},
      {R"({\"email\":\"bob+news@mail.example.co.uk\"})", "pii.email"},
      {"<carol_o'neil@sub-domain.example.org>", "pii.email"},
      {"reply-to=eve@xn--bcher-kva.example", "pii.email"},
      {"icon@2x.png", ""},
      {"git@github.com:owner/name.git", ""},
      {"react@18.2.0", ""},
      {"@app.route('/x')", ""},
      {"user@localhost", ""},
      {"postgres://db@10.0.0.5/x", ""},
      {"fb@2026-01-05", ""},
      // telephone numbers
      {"+1 415 555 0132", "pii.phone"},
      {"+14155550132", "pii.phone"},
      {"+44 (0)20 7946 0958", "pii.phone"},
      {"+49 30 901820", "pii.phone"},
      {"+33 1 42 68 53 00", "pii.phone"},
      {"+81-3-1234-5678", "pii.phone"},
      {"+91 98765 43210", "pii.phone"},
      {"+55 11 91234-5678", "pii.phone"},
      {"(415) 555-0132", "pii.phone"},
      {"415-555-0132", "pii.phone"},
      {"1-800-555-0199", "pii.phone"},
      {"415.555.0132", "pii.phone"},
      {"phone" + nul + "4155550132", "pii.phone"},
      {R"("mobile":"4155550132")", "pii.phone"},
      {"+30 21 0 1234567", "pii.phone"},
      {"+33 1 42 68 53 00 2 bags", "pii.phone"},
      {"phone: 020 7946 0958", "pii.phone_named"},
      {R"({\"mobile\": \"0412 345 678\"})", "pii.phone_named"},
      {"phone_number" + nul + "(02) 9876 5432", "pii.phone_named"},
      {"Tel.: 030 1234567", "pii.phone_named"},
      {"fax=01 23 45 67 89", "pii.phone_named"},
      {"my phone number is 0664 812345", "pii.phone_in_sentence"},
      {"mobile 15 minutes from 2026", ""},
      {"telephone calls 0 of 12", ""},
      {"telefon 0.25 seconds of 1234567", ""},
      {"order 4155550132", ""},
      {"order 100-555-0132", ""},
      {"2026-01-05T00:16:44+00:00", ""},
      {"+12345678 lines", ""},
      {"lat +48.137154, long +11.576124", ""},
      {"1767572204953", ""},
      {"tokens 1234567890", ""},
      {"trace 0af7651916cd43dd8448eb211c80319c", ""},
      {"part 12-345-6789-0", ""},
      // cards
      {"4111 1111 1111 1111", "pii.card"},
      {"4111111111111111", "pii.card"},
      {"5555-5555-5555-4444", "pii.card"},
      {"3782 822463 10005", "pii.card"},
      {"6011111111111117", "pii.card"},
      {"3530111333300000", "pii.card"},
      {"6759649826438453", "pii.card"},
      {"5019 7170 1010 3742", "pii.card"},
      {"2200 0000 0000 0004", "pii.card"},
      {"30569309025904", "pii.card"},
      {"2223003122003222", "pii.card"},
      {"card 4242424242424242, exp 12/29", "pii.card"},
      {"4111 1111 1111 1112", ""},
      {"order_id=4111111111111111", ""},
      {"1767572204953977000", ""},
      {"0.4111111111111111", ""},
      {"a4111111111111111", ""},
      {"1111111111111111", ""},
      {"9111111111111111", ""},
      // accounts
      {"DE89 3704 0044 0532 0130 00", "pii.iban"},
      {"GB82WEST12345698765432", "pii.iban"},
      {"FR14 2004 1010 0505 0001 3M02 606", "pii.iban"},
      {"NL91ABNA0417164300", "pii.iban"},
      {"NO9386011117947", "pii.iban"},
      {"AL47-2121-1009-0000-0002-3569-8741", "pii.iban"},
      {"AL47-2121 1009-0000-0002-3569-8741", ""},
      {"DE88 3704 0044 0532 0130 00", ""},
      {"GB82WEST1234569876543", ""},
      {"XX89370400440532013000", ""},
      // numbers of the United States
      {"SSN 219-09-9999", "pii.ssn"},
      {"ssn: 219 09 9999", "pii.ssn"},
      {"SSN 219.09.9999", "pii.ssn"},
      {"build 219.09.9999", ""},
      {"ssn" + nul + "219099999", "pii.ssn"},
      {"social security number 078-05-1120", "pii.ssn"},
      {"ITIN 912-70-1234", "pii.itin"},
      {"itin" + nul + "912901234", "pii.itin"},
      {"000-12-3456", ""},
      {"666-12-3456", ""},
      {"219-00-9999", ""},
      {"219-09-0000", ""},
      {"912-49-1234", ""},
      {"219099999 rows", ""},
      {"1219-09-9999", ""},
      // addresses of the Internet
      {"from 81.2.69.160 port 22", "pii.ip"},
      {"http://81.2.69.160:8080/x", "pii.ip"},
      {"2a00:1450:4001:81b::200e", "pii.ip"},
      {"[2606:4700:4700:0:0:0:0:1111]:53", "pii.ip"},
      {"10.1.2.3", ""},
      {"127.0.0.1", ""},
      {"192.168.1.20", ""},
      {"172.16.3.4", ""},
      {"198.51.100.7", ""},
      {"Chrome/120.0.0.0", ""},
      {"version 4.15.2.1", ""},
      {"1.3.6.1.4.1.311", ""},
      {"at 00:17:04 and 12:30:45", ""},
      {"00:1b:44:11:3a:b7", ""},
      {"std::string", ""},
      {"fe80::1", ""},
      // passports, names
      {"passport no. C01100774", "pii.passport"},
      {"Passport number: X1234567", "pii.passport"},
      {"passport_number" + nul + "533380006", "pii.passport"},
      {"Mi pasaporte es XDA481516", "pii.passport"},
      {"numéro de passeport: 14AB31642", ""},
      {"Reisepass C4K81L5X7 ist abgelaufen", "pii.passport"},
      {"Pass-Nr.: F12345671", "pii.passport"},
      {"паспорт № 530123456", "pii.passport"},
      {"여권번호는 M234K5678", "pii.passport"},
      {"passports are checked twice since 2019", ""},
      {"passport control at gate 1234567", ""},
      {"first_name" + nul + "Ann", "pii.name"},
      {R"({\"full_name\": \"Ann Smith-Jones\"})", "pii.name"},
      {"lastName" + nul + "O'Neill", "pii.name"},
      {"cardholder_name" + nul + "J. Doe", "pii.name"},
      {"first_name" + nul + "{{user}}", ""},
      {R"("first_name": "string")", ""},
      {"file_name" + nul + "Ann", ""},
      {"agent_name" + nul + "support", ""},
      // figures of telemetry
      {"cost 0.004108, tokens_in 1555, tokens_out 22", ""},
      {"2026-01-05 00:16:44.953977", ""},
      {"latency 185.48 ms", ""},
      {"86eef3b3-c099-d0d2-edc2-751c335def2d", ""},
      {"session s-c69f066fa8c6", ""},
      {"id 1234-5678-9012-3456", ""},
      {"flight HAT268 on 2026-05-12, $305.98", ""},
      {"192.168.100.2001", ""},
  };
}

TEST(PersonalData, IsFoundAndNothingElseIs) {
  std::size_t true_finds = 0;
  std::size_t false_finds = 0;
  std::size_t missed = 0;
  Scanner scanner(test::shipped_patterns());
  for (const Sample& sample : samples()) {
    bool is_found = false;
    for (const Match& match : scanner.scan(sample.text)) {
      const std::string& id = scanner.library().patterns()[match.pattern].id;
      if (id == sample.id) is_found = true;
      if (id.rfind("pii.", 0) != 0 || id == sample.id) continue;
      ++false_finds;
      ADD_FAILURE() << sample.text << " is taken for " << id;
    }
    true_finds += is_found ? 1 : 0;
    if (is_found || sample.id.empty()) continue;
    ++missed;
    ADD_FAILURE() << sample.text << " is no " << sample.id;
  }
  EXPECT_EQ(missed, 0U) << "of " << true_finds + missed;
  EXPECT_EQ(false_finds, 0U) << "beside " << true_finds << " true ones";
}

TEST(PersonalData, IsFoundOneLayerDeep) {
  EXPECT_EQ(test::found_in("next=/u?mail=dave%40example.net&x=1"), test::Found{"pii.email:dave%40example.net"});
}

}  // namespace personal_data_test
}  // namespace tocsin
